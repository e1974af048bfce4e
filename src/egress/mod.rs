//! The only door to the outside for HTTP(S): resolves, checks and pins each address before each connection.
//!
//! Owns the policy (who may be reached), the names and their addresses, the kept-alive connections and the count of bytes.
//! Called by whatever fetches or posts; FFmpeg's own sockets get their addresses from [`Client::resolve`]. Keeps no
//! cookies, reads no proxy settings, opens no files, and shows no path, query or credentials in any error.

mod basic;
mod client;
mod connect;
mod error;
mod names;
mod policy;

#[cfg(test)]
mod tests;

pub use basic::base64;
pub use client::{Body, Client, ContentRange, Request};
pub use connect::{Traffic, authorities};
pub use error::Error;
pub use policy::{Allowed, Policy, Trust};
