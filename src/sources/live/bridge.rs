//! A video over HTTP as FFmpeg wants to read it: blocking, from any place. The requests are our own client's.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::control::Control;
use crate::egress::{self, Body, Client, Request, Trust};

/// Reads one address, from a thread outside the runtime.
pub(super) struct Bridge {
    client: Client,
    url: Url,
    trust: Trust,
    /// Known where the server takes ranges.
    length: Option<u64>,
    cancel: CancellationToken,
    runtime: Handle,
    at: u64,
    body: Option<Body>,
    pending: Bytes,
}

impl Bridge {
    /// Forward seeks up to here are read over: cheaper than asking anew.
    const READ_OVER: u64 = 64 << 10;

    /// Must be called on the runtime.
    pub(super) fn new(
        client: Client,
        (url, trust): (Url, Trust),
        length: Option<u64>,
        control: &Arc<Control>,
    ) -> Self {
        let (cancel, runtime) = (control.cancel.clone(), Handle::current());
        Self { client, url, trust, length, cancel, runtime, at: 0, body: None, pending: Bytes::new() }
    }

    pub(super) fn can_seek(&self) -> bool {
        self.length.is_some()
    }

    /// The same from its start.
    pub(super) fn again(&self) -> Self {
        Self {
            client: self.client.clone(),
            url: self.url.clone(),
            trust: self.trust,
            length: self.length,
            cancel: self.cancel.clone(),
            runtime: self.runtime.clone(),
            at: 0,
            body: None,
            pending: Bytes::new(),
        }
    }

    async fn open(&self) -> std::result::Result<Body, egress::Error> {
        let range = self.length.map(|length| self.at..length);
        let request = Request { range, ..Request::new(&self.url, self.trust, u64::MAX) };
        let body = self.client.get(request).await?.ok()?;
        let in_place = body.content_range.map_or(0, |part| part.start) == self.at;
        if in_place { Ok(body) } else { Err(egress::Error::Status(body.status)) }
    }

    async fn more(&mut self) -> std::result::Result<Bytes, egress::Error> {
        let body = match &mut self.body {
            Some(body) => body,
            None => {
                let body = self.open().await?;
                self.body.insert(body)
            }
        };
        Ok(body.next().await?.unwrap_or_default())
    }
}

impl Read for Bridge {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.length == Some(self.at) || buffer.is_empty() {
            return Ok(0);
        }
        if self.pending.is_empty() {
            let (runtime, cancel) = (self.runtime.clone(), self.cancel.clone());
            let more = runtime.block_on(async {
                tokio::select! {
                    more = self.more() => more.map_err(Error::other),
                    () = cancel.cancelled() => Err(ErrorKind::Interrupted.into()),
                }
            });
            // FFmpeg's readers repeat what was merely interrupted.
            self.pending = more.map_err(|e| match e.kind() {
                ErrorKind::Interrupted => Error::other("told to stop"),
                _ => e,
            })?;
        }
        let count = buffer.len().min(self.pending.len());
        self.pending.copy_to_slice(&mut buffer[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Bridge {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let beyond = || Error::from(ErrorKind::InvalidInput);
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.length.and_then(|length| length.checked_add_signed(by)),
        };
        let to = to.filter(|&to| self.length.is_none_or(|length| to <= length)).ok_or_else(beyond)?;
        let ahead = to.checked_sub(self.at);
        match ahead.and_then(|ahead| usize::try_from(ahead).ok()) {
            Some(ahead) if ahead <= self.pending.len() => self.pending.advance(ahead),
            Some(ahead) if ahead as u64 <= Self::READ_OVER && self.body.is_some() => {
                std::io::copy(&mut self.by_ref().take(ahead as u64), &mut std::io::sink())?;
            }
            _ => {
                (self.body, self.pending) = (None, Bytes::new());
            }
        }
        self.at = to;
        Ok(to)
    }
}
