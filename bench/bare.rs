//! The floor of viewing: a loop that does nothing but write each frame to each socket.
//!
//! Runs as a process of its own, so that its processor time is measured as the server's is. Sends byte for byte what a viewer
//! of the server is sent. One thread, blocking sockets: no program that writes to each socket can do with fewer calls.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::process::{Process, free_address};
use crate::harness::{Outcome, pictures};

/// Makes this program the bare loop.
pub(crate) const ARGUMENT: &str = "--bare-loop";

/// Starts one that waits for that many viewers and then sends them the JPEG in `file`, stamped anew each time.
pub(crate) fn start(viewers: usize, fps: u32, file: &Path) -> Outcome<(Process, SocketAddr)> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args([ARGUMENT, &address.port().to_string(), &viewers.to_string(), &fps.to_string()]).arg(file);
    Ok((Process::start(&mut command)?, address))
}

pub(crate) fn run(arguments: &[String]) -> Outcome<()> {
    let [port, viewers, fps, file] = arguments else { return Err("port, viewers, fps and file".into()) };
    let (jpeg, period) = (std::fs::read(file)?, Duration::from_secs(1) / fps.parse::<u32>()?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?))?;
    let mut sockets = Vec::new();
    while sockets.len() < viewers.parse::<usize>()? {
        sockets.push(welcome(listener.accept()?.0)?);
    }
    let (start, mut part) = (Instant::now(), Vec::new());
    for number in 0_u32.. {
        std::thread::sleep((start + period * number).saturating_duration_since(Instant::now()));
        write_part(&jpeg, number.into(), &mut part);
        sockets.iter_mut().try_for_each(|socket| socket.write_all(&part))?;
    }
    Ok(())
}

fn welcome(mut socket: TcpStream) -> Outcome<TcpStream> {
    socket.set_nodelay(true)?;
    let mut request = [0; 1024];
    let mut filled = 0;
    while !request[..filled].ends_with(b"\r\n\r\n") {
        filled += socket.read(&mut request[filled..])?;
    }
    socket.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\
          Transfer-Encoding: chunked\r\n\r\n9\r\n--frame\r\n\r\n",
    )?;
    Ok(socket)
}

/// One frame as the server frames it: a part, in one chunk of the answer.
fn write_part(jpeg: &[u8], number: u64, out: &mut Vec<u8>) {
    const AFTER: &[u8] = b"\r\n--frame\r\n";
    let length = jpeg.len() + pictures::stamp_bytes();
    let head = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {length}\r\nX-Timestamp: 2026-01-21T10:00:00.000000000Z\r\n\r\n"
    );
    out.clear();
    out.extend_from_slice(format!("{:X}\r\n{head}", head.len() + length + AFTER.len()).as_bytes());
    pictures::stamped(jpeg, 0, number, out);
    out.extend_from_slice(AFTER);
    out.extend_from_slice(b"\r\n");
}
