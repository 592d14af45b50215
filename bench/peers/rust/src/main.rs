//! The works with rtnetlink; see bench/programs.ts. Prints nanoseconds, and how many there were.

use futures::stream::{StreamExt, TryStreamExt};
use netlink_packet_route::nlas::address::Nla as AddressNla;
use netlink_packet_route::nlas::link::{Info, InfoData, InfoKind, Nla, VethInfo};
use netlink_packet_route::nlas::route::Nla as RouteNla;
use netlink_packet_route::{constants::*, LinkMessage, NetlinkMessage, NetlinkPayload, RtnlMessage};
use nix::sched::{setns, CloneFlags};
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};
use rtnetlink::constants::RTMGRP_IPV4_ROUTE;
use rtnetlink::sys::{AsyncSocket, SocketAddr};
use rtnetlink::{new_connection, Handle, IpVersion};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::io::AsRawFd;
use std::time::Instant;

type Outcome = Result<(Instant, usize), Box<dyn std::error::Error>>;

fn connect() -> std::io::Result<Handle> {
    let (connection, handle, _) = new_connection()?;
    tokio::spawn(connection);
    Ok(handle)
}

async fn index_of(handle: &Handle, name: &str) -> Result<u32, rtnetlink::Error> {
    let link = handle.link().get().match_name(name.to_string()).execute().try_next().await?;
    Ok(link.expect("no such link").header.index)
}

/// With `born` the container's end is made where it belongs, else moved there and renamed.
async fn attach(count: u32, born: bool) -> Outcome {
    let host = connect()?;
    let own = File::open("/proc/self/ns/net")?;
    let bridge = index_of(&host, "br0").await?;
    let start = Instant::now();
    for i in 0..count {
        let container = File::open(format!("/run/netns/c{i}"))?;
        let fd = container.as_raw_fd();
        let mut peer = LinkMessage::default();
        if born {
            peer.nlas = vec![Nla::IfName("eth0".into()), Nla::NetNsFd(fd)];
        } else {
            peer.nlas = vec![Nla::IfName(format!("p{i}"))];
        }
        let mut request = host.link().add();
        let message = request.message_mut();
        message.header.flags = IFF_UP;
        message.header.change_mask = IFF_UP;
        message.nlas = vec![
            Nla::IfName(format!("h{i}")),
            Nla::Master(bridge),
            Nla::Info(vec![
                Info::Kind(InfoKind::Veth),
                Info::Data(InfoData::Veth(VethInfo::Peer(peer))),
            ]),
        ];
        request.execute().await?;
        if !born {
            let peer = index_of(&host, &format!("p{i}")).await?;
            host.link().set(peer).setns_by_fd(fd).name("eth0".into()).execute().await?;
        }
        setns(fd, CloneFlags::CLONE_NEWNET)?;
        let inside = connect()?;
        setns(own.as_raw_fd(), CloneFlags::CLONE_NEWNET)?;
        let link = index_of(&inside, "eth0").await?;
        let loopback = index_of(&inside, "lo").await?;
        inside.link().set(loopback).up().execute().await?;
        let number = (i + 2) as u16;
        let own4 = Ipv4Addr::from(0x0a00_0000 + u32::from(number));
        let own6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number);
        inside.address().add(link, IpAddr::V4(own4), 16).execute().await?;
        let mut address = inside.address().add(link, IpAddr::V6(own6), 64);
        address.message_mut().nlas.push(AddressNla::Flags(IFA_F_NODAD));
        address.execute().await?;
        inside.link().set(link).up().execute().await?;
        inside.route().add().v4().gateway(Ipv4Addr::new(10, 0, 0, 1)).execute().await?;
        let gateway = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
        inside.route().add().v6().gateway(gateway).execute().await?;
    }
    Ok((start, count as usize))
}

fn names(path: &str) -> std::io::Result<Vec<String>> {
    Ok(std::fs::read_to_string(path)?.split_whitespace().map(String::from).collect())
}

async fn delete(path: &str) -> Outcome {
    let host = connect()?;
    let names = names(path)?;
    let start = Instant::now();
    for name in &names {
        // What `link().del()` sends has flags that Linux 6.x refuses (NLM_F_BULK).
        let mut link = LinkMessage::default();
        link.header.index = index_of(&host, name).await?;
        let mut request = NetlinkMessage::from(RtnlMessage::DelLink(link));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK;
        let mut answers = host.clone().request(request)?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload {
                return Err(error.to_io().into());
            }
        }
    }
    Ok((start, names.len()))
}

/// Some at a time, which takes less than one after the other.
async fn insert_routes(count: u32) -> Outcome {
    let host = connect()?;
    let link = index_of(&host, "v0").await?;
    let start = Instant::now();
    futures::stream::iter(0..count)
        .map(|i| {
            let to = Ipv4Addr::from(0x0a00_0000 + i);
            let add = host.route().add().v4().scope(RT_SCOPE_LINK);
            Ok::<_, rtnetlink::Error>(add.destination_prefix(to, 32).output_interface(link).execute())
        })
        .try_buffer_unordered(16)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    Ok((start, count as usize))
}

async fn dump_routes() -> Outcome {
    let host = connect()?;
    let link = index_of(&host, "v0").await?;
    let start = Instant::now();
    let routes: Vec<_> = host.route().get(IpVersion::V4).execute().try_collect().await?;
    let own = routes.iter().filter(|route| {
        route.nlas.iter().any(|nla| matches!(nla, RouteNla::Oif(oif) if *oif == link))
            && route.nlas.iter().any(|nla| matches!(nla, RouteNla::Destination(_)))
    });
    Ok((start, own.count()))
}

async fn dump_links() -> Outcome {
    let host = connect()?;
    let start = Instant::now();
    let links: Vec<_> = host.link().get().execute().try_collect().await?;
    let named = links.iter().filter(|link| link.nlas.iter().any(|nla| matches!(nla, Nla::IfName(_))));
    Ok((start, named.count()))
}

async fn lookup(path: &str) -> Outcome {
    let host = connect()?;
    let names = names(path)?;
    let start = Instant::now();
    for name in &names {
        index_of(&host, name).await?;
    }
    Ok((start, names.len()))
}

async fn monitor(count: usize, bytes: usize) -> Outcome {
    let (mut connection, _handle, mut messages) = new_connection()?;
    let groups = SocketAddr::new(0, RTMGRP_IPV4_ROUTE);
    connection.socket_mut().socket_mut().bind(&groups)?;
    setsockopt(connection.socket_mut().as_raw_fd(), RcvBufForce, &bytes)?;
    tokio::spawn(connection);
    println!("ready");
    let (mut start, mut seen) = (None, 0);
    while let Some((message, _)) = messages.next().await {
        start.get_or_insert_with(Instant::now);
        match message.payload {
            NetlinkPayload::InnerMessage(RtnlMessage::NewRoute(_)) => seen += 1,
            NetlinkPayload::Overrun(_) => return Err("events were lost".into()),
            _ => {}
        }
        if seen == count {
            break;
        }
    }
    Ok((start.ok_or("no event")?, seen))
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let argument = words.get(2).map_or("", |word| word);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(async {
        match words[1].as_str() {
            "attach" => attach(argument.parse()?, false).await,
            "attach-born" => attach(argument.parse()?, true).await,
            "delete" => delete(argument).await,
            "insert-routes" => insert_routes(argument.parse()?).await,
            "dump-routes" => dump_routes().await,
            "dump-links" => dump_links().await,
            "lookup" => lookup(argument).await,
            "monitor" => monitor(argument.parse()?, words[3].parse()?).await,
            other => Err(format!("there is no work {other}").into()),
        }
        .map(|(start, count)| (start.elapsed().as_nanos(), count))
    });
    match outcome {
        Ok((nanoseconds, count)) => println!("{nanoseconds} {count}"),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}
