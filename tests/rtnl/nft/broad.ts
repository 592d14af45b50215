/**
 * A ruleset of nft with much of what there is.
 *
 * @module
 */

/** Tables with their sets, objects and chains, which every kernel with nf_tables has. */
export const BROAD_TABLES = `table ip broad {
	comment "what others have"
	counter hits { packets 3 bytes 5 comment "a counter" }
	quota some { over 10 mbytes used 3 bytes }
	limit slow { rate 5/second burst 7 packets }
	ct helper ftp-standard { type "ftp" protocol tcp; }
	chain other { return; }
	set nets { type ipv4_addr; flags interval; comment "hello"; elements = { 10.0.0.0/8, 192.168.1.5, 172.16.0.1-172.16.0.9 comment "some" }; }
	set leases { type ipv4_addr . inet_service; flags timeout; timeout 1h; elements = { 10.0.0.1 . 80 timeout 5h, 10.0.0.2 . 443 }; }
	set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 10-20 }; }
	set seen { typeof ip saddr; size 1000; flags dynamic,timeout; timeout 60s; }
	set counted { type ipv4_addr; counter; elements = { 10.0.0.1 counter packets 1 bytes 2 }; }
	map published { type inet_service : ipv4_addr . inet_service; elements = { 8080 : 10.0.0.2 . 80 }; }
	map verdicts { type ipv4_addr : verdict; flags interval; elements = { 10.1.0.0/16 : jump other, 10.2.0.1 : accept, * : drop }; }
	map counters { type ipv4_addr : counter; elements = { 10.0.0.1 : "hits" }; }
	chain pre {
		type nat hook prerouting priority dstnat; policy accept;
	}
	chain post {
		type nat hook postrouting priority srcnat; policy accept; comment "out";
	}
	chain through {
		type filter hook forward priority filter + 5; policy drop;
	}
}
table ip6 broad {
	flags dormant;
	chain post {
		type nat hook postrouting priority 100; policy accept;
	}
}
table arp broad {
	chain in {
		type filter hook input priority 0; policy accept;
	}
}
table netdev broad {
	chain in {
		type filter hook ingress device lo priority -500; policy accept;
	}
}
table bridge broad {
	chain through {
		type filter hook forward priority -200; policy accept;
	}
}
`;

/** Rules for these chains, of which a kernel may lack some. */
export const BROAD_RULES: Readonly<Record<string, readonly string[]>> = {
  "ip broad pre": [
    'fib daddr type local tcp dport 8080 counter dnat to 10.0.0.2:80 comment "published"',
    "dnat ip to tcp dport map @published",
    "ip saddr vmap @verdicts",
    "tcp dport { 22, 80, 1000-2000 } redirect to :8000",
    'iifname != "br0" udp dport 53 dnat to 10.0.0.2-10.0.0.5:5300-5399 random,persistent',
  ],
  "ip broad post": [
    'ip saddr 10.0.0.0/24 oifname != "br0" masquerade fully-random comment "x"',
    'oifname "eth*" masquerade',
    'meta l4proto tcp oifname "eth*" masquerade to :1024-65535',
    "ip saddr 10.9.0.0/16 snat to 1.2.3.4",
  ],
  "ip broad through": [
    "ct state established,related accept",
    "ct state vmap { invalid : drop, established : accept }",
    'limit rate 10/second burst 20 packets log prefix "drop: " level info flags all',
    "limit rate over 1 mbytes/second drop",
    "log group 3 snaplen 100 queue-threshold 5",
    "reject with tcp reset",
    "reject with icmp type admin-prohibited",
    "meta mark & 0x000000ff == 0x00000001 accept",
    "meta mark set 0x5",
    "ct mark set meta mark",
    "ct mark set ct mark or 0x10",
    "ip ttl > 5 ip length != 100-200 accept",
    "tcp flags & (syn|ack) == syn accept",
    "ip saddr @nets counter name hits drop",
    "ip saddr . tcp dport @leases accept",
    "ip saddr . tcp dport @pairs accept",
    "add @seen { ip saddr limit rate 5/minute } accept",
    "update @leases { ip saddr . tcp dport timeout 30s } accept",
    "counter name ip saddr map @counters",
    'quota name "some" drop',
    'limit name "slow" accept',
    "ct count over 20 drop",
    "ip dscp set cs1",
    "ip saddr set 10.0.0.1",
    "ct original ip saddr 10.0.0.1 accept",
    "tcp option maxseg size set rt mtu",
    "notrack",
    "jhash ip saddr mod 10 vmap { 0 : accept }",
    "symhash mod 2 vmap { 0 : accept }",
    "numgen inc mod 2 vmap { 0 : drop, 1 : accept }",
    "meta mark set numgen random mod 8 offset 3",
    "goto other",
    "quota over 5 mbytes drop",
    "icmp type echo-request accept",
    "ip saddr 10.0.0.0-10.0.0.9 accept",
    "ip saddr != 10.0.0.0-10.0.0.9 accept",
    "meta skuid 0 accept",
    'meta iifkind "bridge" accept',
    "meta nftrace set 1",
    "ct bytes > 100000 accept",
    "ct zone 3 accept",
    'ct helper set "ftp-standard"',
    'dup to 10.0.0.1 device "lo"',
    "iif lo accept",
    "synproxy mss 1460 wscale 7",
    "ip option lsrr exists accept",
    "ct label 3 accept",
    "rt nexthop 10.0.0.1 accept",
    "ip saddr & 0.0.0.255 == 0.0.0.5 accept",
    "fib saddr . iif oif missing drop",
    "meta pkttype broadcast drop",
    "meta priority set 1:2",
    "ct status dnat accept",
    'meta hour > "10:00" accept',
  ],
  "ip6 broad post": [
    "ip6 saddr fd00::/64 masquerade",
    "tcp dport 80 ip6 saddr fd00::1 snat to [2001:db8::1]:80",
    "ip6 nexthdr udp exthdr frag exists accept",
  ],
  "arp broad in": [
    "arp operation request counter",
  ],
  "netdev broad in": [
    "ip daddr 10.0.0.1 drop",
  ],
  "bridge broad through": [
    "ether daddr 02:00:5e:00:53:01 vlan id 5 accept",
  ],
};
