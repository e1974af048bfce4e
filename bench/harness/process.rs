//! What the kernel says of a process: processor time, memory, descriptors, threads.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Outcome;

/// A process that ends with this value.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        let name = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).spawn();
        Ok(Self(child.map_err(|e| format!("can't start {}: {e}", name.display()))?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Processor time used so far, in the kernel's 10 ms ticks: all threads, user and system.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let stat = self.read("stat")?;
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        // proc(5): utime and stime are fields 14 and 15; what stands here begins with field 3.
        let ticks =
            |field: usize| -> Outcome<u64> { Ok(fields.get(field - 3).ok_or("short stat")?.parse()?) };
        let ticks = ticks(14)? + ticks(15)?;
        Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
    }

    /// Resident memory now and at its highest, in bytes.
    pub(crate) fn memory(&self) -> Outcome<(u64, u64)> {
        let status = self.read("status")?;
        let kilobytes = |key: &str| -> Outcome<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).ok_or("no such line")?;
            Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
        };
        Ok((kilobytes("VmRSS:")?, kilobytes("VmHWM:")?))
    }

    pub(crate) fn descriptors(&self) -> Outcome<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.id()))?.count())
    }

    /// Asks it to end and waits.
    pub(crate) fn stop(mut self, patience: Duration) -> Outcome<()> {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let asked = Instant::now();
        while asked.elapsed() < patience {
            if let Some(status) = self.0.try_wait()? {
                return if status.success() { Ok(()) } else { Err(format!("it ended with {status}").into()) };
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("it did not end when asked to".into())
    }

    fn read(&self, file: &str) -> Outcome<String> {
        let path = format!("/proc/{}/{file}", self.id());
        Ok(std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}; has the process ended?"))?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address nobody listens on just now.
pub(crate) fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Waits until that process listens there.
pub(crate) async fn listening(address: SocketAddr, process: &Process) -> Outcome<()> {
    for _ in 0..400 {
        if process.read("status")?.contains("\nState:\tZ") {
            return Err("it ended at once".into());
        }
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Err(format!("nothing listens on {address} after 10 s").into())
}
