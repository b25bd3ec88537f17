//! Addresses: where to listen, and what to tell clients about it.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use crate::error::{Error, ErrorKind, Result};

/// Host and port that Kafka clients are told to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advertised {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Listens at `address`, in the words of `protocol` when that fails.
pub(super) fn bind(protocol: &str, address: &str) -> Result<TcpListener> {
    let unusable = |reason: String| {
        let text = format!("{protocol} cannot listen on {address}: {reason}");
        Error::new(ErrorKind::Unavailable, text)
    };
    let resolved = address
        .to_socket_addrs()
        .map_err(|error| unusable(error.to_string()))?;
    let resolved: Vec<SocketAddr> = resolved.collect();
    let listener = TcpListener::bind(resolved.as_slice()).map_err(|error| {
        unusable(match error.kind() {
            std::io::ErrorKind::AddrInUse => "the port is taken by another program".into(),
            _ => error.to_string(),
        })
    })?;
    listener
        .set_nonblocking(true)
        .map_err(|error| unusable(error.to_string()))?;
    if resolved.iter().any(|address| !address.ip().is_loopback()) {
        tracing::warn!(
            protocol,
            address,
            "LISTENING BEYOND THIS MACHINE WITHOUT CREDENTIALS: everyone who reaches this address \
             can read and delete everything"
        );
    }
    Ok(listener)
}

/// What clients are told: `given` (host, or host and port), else where `listening`. A listener on
/// every interface has no address that a client could use, so clients are sent to this machine's
/// own loopback then.
pub(super) fn advertised(given: Option<&str>, listening: SocketAddr) -> Result<Advertised> {
    let invalid = |given: &str| {
        let text = format!("'{given}' is no HOST or HOST:PORT that clients could connect to");
        Error::new(ErrorKind::Invalid, text)
    };
    let Some(given) = given else {
        let host = match listening.ip() {
            ip if !ip.is_unspecified() => ip.to_string(),
            _ => "127.0.0.1".into(),
        };
        return Ok(Advertised {
            host,
            port: listening.port(),
        });
    };
    let (host, port) = match given.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| invalid(given))?),
        None => (given, listening.port()),
    };
    if host.is_empty() {
        return Err(invalid(given));
    }
    Ok(Advertised {
        host: host.into(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_an_address_they_can_use() {
        let check = |given: Option<&str>, listening: &str, wanted: &str| {
            let listening = listening.parse().expect("an address");
            let told = advertised(given, listening).expect("usable");
            assert_eq!(format!("{} {}", told.host, told.port), wanted);
        };
        check(None, "127.0.0.1:9092", "127.0.0.1 9092");
        check(None, "0.0.0.0:9092", "127.0.0.1 9092");
        check(Some("kafka.example"), "0.0.0.0:1", "kafka.example 1");
        check(Some("kafka.example:7"), "0.0.0.0:1", "kafka.example 7");
        let any = "0.0.0.0:1".parse().expect("an address");
        assert!(advertised(Some(":7"), any).is_err());
        assert!(advertised(Some("a:b"), any).is_err());
    }
}
