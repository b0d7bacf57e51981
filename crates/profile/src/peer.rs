//! Sockets: who talks to whom, by class.

use std::net::{IpAddr, Ipv4Addr};

/// What kind of address a peer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressClass {
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// RFC 1918 and RFC 4193: the cluster's own networks.
    Private,
    /// `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// 169.254.169.254 and its like: a cloud's credentials.
    Metadata,
    /// Multicast and broadcast.
    Multicast,
    /// `0.0.0.0`, `::`.
    Unspecified,
    /// Everything else.
    Public,
}

impl AddressClass {
    /// The token of this class.
    pub fn token(self) -> &'static str {
        match self {
            Self::Loopback => "<ip:loopback>",
            Self::Private => "<ip:private>",
            Self::LinkLocal => "<ip:linklocal>",
            Self::Metadata => "<ip:metadata>",
            Self::Multicast => "<ip:multicast>",
            Self::Unspecified => "<ip:any>",
            Self::Public => "<ip:public>",
        }
    }

    /// The class of an address; IPv4-mapped IPv6 addresses count as IPv4.
    pub fn of(address: IpAddr) -> Self {
        let address = match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        match address {
            _ if address.is_loopback() => Self::Loopback,
            _ if address.is_unspecified() => Self::Unspecified,
            _ if address.is_multicast() => Self::Multicast,
            IpAddr::V4(v4) if v4 == Ipv4Addr::new(169, 254, 169, 254) => Self::Metadata,
            IpAddr::V4(v4) if v4.is_link_local() => Self::LinkLocal,
            IpAddr::V4(v4) if v4.is_broadcast() => Self::Multicast,
            IpAddr::V4(v4) if v4.is_private() || shared(v4) => Self::Private,
            IpAddr::V6(v6) if (v6.segments()[0] & 0xfe00) == 0xfc00 => Self::Private,
            IpAddr::V6(v6) if (v6.segments()[0] & 0xffc0) == 0xfe80 => Self::LinkLocal,
            _ => Self::Public,
        }
    }
}

/// 100.64.0.0/10 (RFC 6598), which container networks use as their own.
fn shared(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    a == 100 && (64..128).contains(&b)
}

/// The first port that Linux and most others give to clients by default; see
/// `net.ipv4.ip_local_port_range`.
pub const EPHEMERAL_FROM: u16 = 32_768;

/// One end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// Address.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
}

/// The two ends of a socket as Falco orders them: client first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple {
    /// Who connected.
    pub client: End,
    /// Who was connected to.
    pub server: End,
}

/// Reads `172.18.0.6:51906->172.18.0.2:80`.
pub fn tuple(text: &str) -> Option<Tuple> {
    let (client, server) = text.split_once("->")?;
    Some(Tuple { client: end(client)?, server: end(server)? })
}

/// Reads `172.18.0.2:21` or `:::5432` or `::1:5432`.
pub fn end(text: &str) -> Option<End> {
    let (address, port) = text.rsplit_once(':')?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    Some(End { address: address.parse().ok()?, port: port.parse().ok()? })
}

/// The path of a unix socket, without the kernel pointers that Falco prints before a connected one.
pub fn unix_path(text: &str) -> &str {
    match text.split_once("->") {
        Some((_, rest)) => rest.split_once(' ').map_or("", |(_, path)| path.trim()),
        None => text,
    }
}

/// `<port:ephemeral>` for a client's port, else the number.
pub fn port_token(port: u16) -> String {
    if port >= EPHEMERAL_FROM { "<port:ephemeral>".to_owned() } else { port.to_string() }
}

/// How many leading bits two addresses share, 0 for different families.
pub fn shared_prefix(a: IpAddr, b: IpAddr) -> u32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressClass, end, tuple, unix_path};

    #[test]
    fn sockets_are_read() {
        let read = tuple("172.18.0.6:51906->172.18.0.2:80").unwrap();
        assert_eq!((read.client.port, read.server.port), (51906, 80));
        assert_eq!(end(":::5432").unwrap().port, 5432);
        assert_eq!(tuple("NULL"), None);
        assert_eq!(
            unix_path("ffff88811edf5200->ffff88811edf4000 /var/run/postgresql/.s.PGSQL.5432"),
            "/var/run/postgresql/.s.PGSQL.5432"
        );
        assert_eq!(unix_path("/var/run/nscd/socket"), "/var/run/nscd/socket");
    }

    #[test]
    fn addresses_have_classes() {
        for (address, class) in [
            ("127.0.0.11", AddressClass::Loopback),
            ("172.18.0.1", AddressClass::Private),
            ("100.64.3.2", AddressClass::Private),
            ("169.254.169.254", AddressClass::Metadata),
            ("8.8.8.8", AddressClass::Public),
            ("::1", AddressClass::Loopback),
            ("fd00::1", AddressClass::Private),
            ("::ffff:10.0.0.1", AddressClass::Private),
            ("224.0.0.1", AddressClass::Multicast),
        ] {
            assert_eq!(AddressClass::of(address.parse().unwrap()), class, "{address}");
        }
    }
}
