//! The HTTP client of the command line.

use crate::base::error::{Error, Result};

/// Speaks HTTP and HTTPS; trusts the certificates this machine trusts.
pub(super) fn client() -> Result<reqwest::Client> {
    // Another part of the program may have chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(std::time::Duration::from_secs(5))
        .tcp_nodelay(true)
        .build()
        .map_err(|e| Error::internal("can't set up HTTP", e))
}
