// The works with vishvananda/netlink; see bench/programs.ts. Prints nanoseconds, and how many there were.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

// One socket for all; without a handle each request would open its own.
var host = must(netlink.NewHandle(unix.NETLINK_ROUTE))

func named(name string) netlink.Link { return must(host.LinkByName(name)) }

func words(path string) []string { return strings.Fields(string(must(os.ReadFile(path)))) }

// The pair is made on the host; then one end is moved into the container and renamed.
func attachMoved(i int, bridge netlink.Link, container netns.NsHandle) string {
	name := fmt.Sprintf("p%d", i)
	veth := &netlink.Veth{LinkAttrs: attributes(i, bridge), PeerName: name}
	check(host.LinkAdd(veth))
	check(host.LinkSetNsFd(named(name), int(container)))
	return name
}

// The container's end is made where it belongs.
func attachBorn(i int, bridge netlink.Link, container netns.NsHandle) string {
	check(host.LinkAdd(&netlink.Veth{
		LinkAttrs:     attributes(i, bridge),
		PeerName:      "eth0",
		PeerNamespace: netlink.NsFd(container),
	}))
	return "eth0"
}

func attributes(i int, bridge netlink.Link) netlink.LinkAttrs {
	own := netlink.NewLinkAttrs()
	own.Name = fmt.Sprintf("h%d", i)
	own.MasterIndex = bridge.Attrs().Index
	own.Flags = net.FlagUp
	return own
}

func attach(count string, create func(int, netlink.Link, netns.NsHandle) string) int {
	number := must(strconv.Atoi(count))
	bridge := named("br0")
	clock()
	for i := 0; i < number; i++ {
		container := must(netns.GetFromName(fmt.Sprintf("c%d", i)))
		name := create(i, bridge, container)
		inside := must(netlink.NewHandleAt(container, unix.NETLINK_ROUTE))
		link := must(inside.LinkByName(name))
		if name != "eth0" {
			check(inside.LinkSetName(link, "eth0"))
		}
		check(inside.LinkSetUp(must(inside.LinkByName("lo"))))
		for _, address := range []string{
			fmt.Sprintf("10.0.%d.%d/16", (i+2)>>8, (i+2)&255), fmt.Sprintf("fd00::%x/64", i+2),
		} {
			parsed := must(netlink.ParseAddr(address))
			if parsed.IP.To4() == nil {
				parsed.Flags = unix.IFA_F_NODAD
			}
			check(inside.AddrAdd(link, parsed))
		}
		check(inside.LinkSetUp(link))
		for _, gateway := range []string{"10.0.0.1", "fd00::1"} {
			check(inside.RouteAdd(&netlink.Route{
				LinkIndex: link.Attrs().Index, Gw: net.ParseIP(gateway),
			}))
		}
		inside.Close()
		container.Close()
	}
	return number
}

func remove(path string) int {
	names := words(path)
	clock()
	for _, name := range names {
		check(host.LinkDel(named(name)))
	}
	return len(names)
}

func insertRoutes(count string) int {
	number := must(strconv.Atoi(count))
	index := named("v0").Attrs().Index
	clock()
	for i := 0; i < number; i++ {
		check(host.RouteAdd(&netlink.Route{
			LinkIndex: index,
			Scope:     netlink.SCOPE_LINK,
			Dst: &net.IPNet{
				IP: net.IPv4(10, byte(i>>16), byte(i>>8), byte(i)), Mask: net.CIDRMask(32, 32),
			},
		}))
	}
	return number
}

func dumpRoutes() (own int) {
	index := named("v0").Attrs().Index
	clock()
	for _, route := range must(host.RouteList(nil, netlink.FAMILY_V4)) {
		if route.LinkIndex == index && route.Dst != nil {
			own++
		}
	}
	return
}

func dumpLinks() (links int) {
	clock()
	for _, link := range must(host.LinkList()) {
		if link.Attrs().Name != "" {
			links++
		}
	}
	return
}

func lookup(path string) int {
	names := words(path)
	clock()
	for _, name := range names {
		named(name)
	}
	return len(names)
}

func monitor(count string) (seen int) {
	number := must(strconv.Atoi(count))
	updates := make(chan netlink.RouteUpdate, 1024)
	check(netlink.RouteSubscribeWithOptions(updates, nil, netlink.RouteSubscribeOptions{
		ErrorCallback: check,
	}))
	fmt.Println("ready")
	for update := range updates {
		if seen == 0 {
			clock()
		}
		if update.Type == unix.RTM_NEWROUTE {
			seen++
		}
		if seen == number {
			return
		}
	}
	return
}

var start time.Time

func clock() { start = time.Now() }

func main() {
	runtime.LockOSThread()
	argument := ""
	if len(os.Args) > 2 {
		argument = os.Args[2]
	}
	count := map[string]func() int{
		"attach":        func() int { return attach(argument, attachMoved) },
		"attach-born":   func() int { return attach(argument, attachBorn) },
		"delete":        func() int { return remove(argument) },
		"insert-routes": func() int { return insertRoutes(argument) },
		"dump-routes":   dumpRoutes,
		"dump-links":    dumpLinks,
		"lookup":        func() int { return lookup(argument) },
		"monitor":       func() int { return monitor(argument) },
	}[os.Args[1]]()
	fmt.Println(time.Since(start).Nanoseconds(), count)
}
