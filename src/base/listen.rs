//! Opening a port, and what to say when it can't be had.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpListener;

use super::config::Port;
use super::error::{Error, Result};

/// The listener of the port that `setting` chose, and its address; `None` where it is off.
///
/// # Errors
/// When the port is taken or not allowed, naming the setting.
pub async fn bind(setting: &str, host: IpAddr, port: Port) -> Result<Option<(TcpListener, SocketAddr)>> {
    let Some(port) = port.to_bind() else { return Ok(None) };
    let address = SocketAddr::new(host, port);
    let listener = TcpListener::bind(address).await.map_err(|e| {
        let why = match e.kind() {
            std::io::ErrorKind::AddrInUse => {
                "the port is in use; stop the other program or choose another port"
            }
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need rights this user does not have",
            std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address (server.host)",
            _ => "the address can't be used",
        };
        Error::internal(format!("{setting}: can't listen on {address}: {why}"), e)
    })?;
    let address = listener
        .local_addr()
        .map_err(|e| Error::internal(format!("{setting}: the bound port has no address"), e))?;
    Ok(Some((listener, address)))
}
