//! The store in Redis: one hash for each collection, `onair:streams` and so on, a document in each field.
//!
//! One connection for all calls. Each call has a deadline and fails at once while there is no connection; a task of its own
//! connects again, with growing pauses, and asks once a second whether the server is still there. A batch is one
//! `MULTI`/`EXEC`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo, Pipeline, RedisError};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Row, document};
use super::meter::{Figures, Meter};
use super::{Change, Claim, Collection, Guard, Health, Holder, Holding, Store};
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::secret::Secret;
use crate::base::tasks::Tasks;

/// Called by `store::open`.
pub(super) struct Redis(Arc<Inner>);

struct Inner {
    client: Client,
    meter: Meter,
    link: Mutex<Link>,
    /// The connection was lost.
    lost: Notify,
    /// Counts what was heard of other writers.
    told: watch::Sender<u64>,
}

#[derive(Default)]
struct Link {
    connection: Option<MultiplexedConnection>,
    /// Connections made so far: a call that fails late must not end the one after its own.
    made: u64,
    /// The server answers, and refused the last write.
    refuses: bool,
}

/// Why a call came to nothing.
struct Trouble {
    reason: String,
    /// The server has answered: what it refused was not done, and the connection is good.
    answered: bool,
}

/// Of one call, a connection's making, a sign of life.
const DEADLINE: Duration = Duration::from_secs(2);
/// Between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The pause before connecting again doubles from the first to the second of these.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];
/// The channel on which guarded writes are told.
const TOLD: &str = "onair:told";
/// Writes pairs of id and document (none: it goes) to a hash, if its `version` is the one expected and the lease, where
/// that is asked for, is still of that number.
const GUARDED: &str = "
    local have = redis.call('HGET', KEYS[1], 'version') or '0'
    if have ~= ARGV[1] then return 0 end
    if ARGV[4] ~= '' and redis.call('HGET', KEYS[2], 'fence') ~= ARGV[4] then return 0 end
    for i = 5, #ARGV, 2 do
        if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
        else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
    end
    if ARGV[1] ~= ARGV[2] then
        redis.call('HSET', KEYS[1], 'version', ARGV[2])
        redis.call('PUBLISH', ARGV[3], ARGV[2])
    end
    return 1";
/// The lease of the server that composes: a hash of its holder, where that is found, its number, and when it was renewed by
/// Redis's own clock.
const LEASE: &str = "onair:composer";
/// Takes the lease if it is free, of the one asking, or of one that was found dead and has been silent for long.
const CLAIM: &str = "
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local have = redis.call('HMGET', KEYS[1], 'holder', 'fence', 'address', 'at')
    local holder, fence = have[1] or '', have[2] or '0'
    local silent = math.max(now - (tonumber(have[4]) or 0), 0)
    if holder ~= ARGV[1] and (holder == '' or (fence == ARGV[3] and silent > tonumber(ARGV[4]))) then
        holder, fence = ARGV[1], tostring(redis.call('HINCRBY', KEYS[1], 'fence', 1))
    end
    if holder == ARGV[1] then
        redis.call('HSET', KEYS[1], 'holder', holder, 'address', ARGV[2], 'at', string.format('%.0f', now))
        return {holder, ARGV[2], fence, '0'}
    end
    return {holder, have[3] or '', fence, string.format('%.0f', silent)}";
const RELEASE: &str = "
    if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then redis.call('HSET', KEYS[1], 'holder', '') end
    return 1";
/// Written when nothing else is, to learn whether writing works again.
const PROBE: &str = "onair:probe";

impl Redis {
    pub(super) async fn open(
        url: &Secret,
        password: Option<&Secret>,
        tasks: &Tasks,
        clock: &Clock,
    ) -> Result<Self> {
        let client = client(url, password)?;
        let meter = Meter::new(clock.clone(), "redis");
        let inner = Arc::new(Inner {
            client,
            meter,
            link: Mutex::default(),
            lost: Notify::new(),
            told: watch::Sender::new(0),
        });
        let here = inner.look().await;
        let (kept, stop) = (Arc::clone(&inner), tasks.stopping());
        tasks.supervise("store", move || Arc::clone(&kept).keep(here, stop.clone()));
        let (ears, stop) = (Arc::clone(&inner), tasks.stopping());
        tasks.supervise("store news", move || Arc::clone(&ears).listen(stop.clone()));
        Ok(Self(inner))
    }
}

/// The source of what goes wrong here is left out: it may show the address.
fn client(url: &Secret, password: Option<&Secret>) -> Result<Client> {
    const FORM: &str = "must be redis://[user:password@]host[:port][/database]";
    let wrong = |_| Error::invalid("store.redis_url", FORM);
    if !url.reveal().starts_with("redis://") {
        return Err(Error::invalid("store.redis_url", FORM));
    }
    let mut info = url.reveal().into_connection_info().map_err(wrong)?;
    if let Some(password) = password {
        let settings = info.redis_settings().clone().set_password(password.reveal());
        info = info.set_redis_settings(settings);
    }
    Client::open(info).map_err(wrong)
}

impl Store for Redis {
    fn read(&self, collection: Collection) -> BoxFuture<'_, Result<BTreeMap<String, Value>>> {
        async move {
            let mut ask = redis::cmd("HGETALL");
            ask.arg(key(collection));
            let call = |mut connection| async move { ask.query_async(&mut connection).await };
            let found: BTreeMap<String, Vec<u8>> =
                self.0.call(call).await.map_err(|trouble| self.0.failed("read", &trouble))?;
            let parse = |(id, text): (String, Vec<u8>)| {
                let value = document(collection, &id, &text)?;
                Ok((id, value))
            };
            let documents = found.into_iter().map(parse).collect::<Result<_>>()?;
            self.0.meter.read();
            Ok(documents)
        }
        .boxed()
    }

    fn write(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<()>> {
        async move {
            let begun = self.0.meter.now();
            let batch = Batch::new(changes)?;
            if batch.rows.is_empty() {
                return Ok(());
            }
            let transaction = transaction(&batch.rows);
            let call = |mut connection| async move { transaction.exec_async(&mut connection).await };
            self.0.call(call).await.map_err(|trouble| self.0.refused(&trouble))?;
            self.0.meter.wrote(begun);
            Ok(())
        }
        .boxed()
    }

    fn write_guarded(&self, guard: Guard, changes: Vec<Change>) -> BoxFuture<'_, Result<bool>> {
        async move {
            let begun = self.0.meter.now();
            let batch = Batch::new(changes)?;
            let mut script = redis::cmd("EVAL");
            script.arg(GUARDED).arg(2).arg(key(guard.collection)).arg(LEASE);
            script.arg(guard.expected).arg(guard.next).arg(TOLD);
            script.arg(guard.fence.map(|fence| fence.to_string()).unwrap_or_default());
            for row in &batch.rows {
                if row.collection != guard.collection {
                    return Err(Error::new(Kind::Internal, "a guarded write is for one collection"));
                }
                script.arg(&row.id).arg(row.text.as_deref().unwrap_or_default());
            }
            let call = |mut connection| async move { script.query_async::<u64>(&mut connection).await };
            let done = self.0.call(call).await.map_err(|trouble| self.0.refused(&trouble))?;
            self.0.meter.wrote(begun);
            Ok(done == 1)
        }
        .boxed()
    }

    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<Holding>> {
        async move {
            let Claim { id, address, over, silent } = claim;
            let mut script = redis::cmd("EVAL");
            script.arg(CLAIM).arg(1).arg(LEASE).arg(&id).arg(address);
            let over = over.map(|fence| fence.to_string()).unwrap_or_default();
            script.arg(over).arg(u64::try_from(silent.as_millis()).unwrap_or(u64::MAX));
            let call = |mut connection| async move {
                script.query_async::<(String, String, u64, u64)>(&mut connection).await
            };
            let asked = self.0.call(call).await;
            let (holder, address, fence, silent) =
                asked.map_err(|trouble| self.0.failed("asked for the lease", &trouble))?;
            let silent = Duration::from_millis(silent);
            Ok(if holder == id {
                Holding::Own { fence }
            } else {
                Holding::Other(Holder { id: holder, address, fence, silent })
            })
        }
        .boxed()
    }

    fn release<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            let mut script = redis::cmd("EVAL");
            script.arg(RELEASE).arg(1).arg(LEASE).arg(id);
            let call = |mut connection| async move { script.exec_async(&mut connection).await };
            self.0.call(call).await.map_err(|trouble| self.0.failed("given its lease back", &trouble))
        }
        .boxed()
    }

    fn told(&self) -> Option<watch::Receiver<u64>> {
        Some(self.0.told.subscribe())
    }

    fn health(&self) -> Health {
        self.0.meter.health()
    }

    fn kind(&self) -> &'static str {
        "redis"
    }

    fn figures(&self) -> Figures {
        self.0.meter.figures()
    }
}

fn key(collection: Collection) -> String {
    format!("onair:{}", collection.name())
}

/// All rows in their order, those that can share a command in one.
fn transaction(rows: &[Row]) -> Pipeline {
    let mut transaction = redis::pipe();
    transaction.atomic();
    for rows in rows.chunk_by(|a, b| a.collection == b.collection && a.text.is_some() == b.text.is_some()) {
        let first = &rows[0];
        let command = transaction.cmd(if first.text.is_some() { "HSET" } else { "HDEL" });
        command.arg(key(first.collection));
        for row in rows {
            command.arg(&row.id);
            if let Some(text) = &row.text {
                command.arg(text);
            }
        }
        command.ignore();
    }
    transaction
}

impl Inner {
    /// Runs one call on the connection; one that does not answer loses it.
    async fn call<T, F>(&self, ask: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let (connection, made) = {
            let link = self.link();
            (link.connection.clone(), link.made)
        };
        let Some(connection) = connection else {
            let reason = match self.meter.health() {
                Health::Away { reason, .. } => reason,
                Health::Ok => "it is being connected".to_owned(),
            };
            return Err(Trouble { reason, answered: true });
        };
        let trouble = match tokio::time::timeout(DEADLINE, ask(connection)).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(e)) => Trouble::from(&e),
            Err(_) => Trouble::silent(),
        };
        if !trouble.answered {
            let mut link = self.link();
            if link.made == made {
                link.connection = None;
                self.meter.away(trouble.reason.clone());
                self.lost.notify_one();
            }
        }
        Err(trouble)
    }

    /// A write that was not done.
    fn refused(&self, trouble: &Trouble) -> Error {
        if trouble.answered {
            let mut link = self.link();
            link.refuses = link.connection.is_some();
            self.meter.away(trouble.reason.clone());
        }
        self.failed("written", trouble)
    }

    /// Hears of guarded writes, until the program ends. After each break something may have been missed.
    async fn listen(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let listening = async {
                let mut heard = in_time(async { Ok(self.client.get_async_pubsub().await?) }).await?;
                in_time(async { Ok(heard.subscribe(TOLD).await?) }).await?;
                self.told.send_modify(|count| *count += 1);
                let mut messages = heard.on_message();
                while messages.next().await.is_some() {
                    self.told.send_modify(|count| *count += 1);
                }
                Ok::<_, Trouble>(())
            };
            tokio::select! {
                _ = listening => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(HEARTBEAT) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn failed(&self, what: &str, trouble: &Trouble) -> Error {
        self.meter.failed();
        let unknown =
            if what == "written" && !trouble.answered { "; whether it was is not known" } else { "" };
        let text = format!("the store (Redis) can't be {what}: {}{unknown}", trouble.reason);
        Error::new(Kind::Unavailable, text).retry_after(DEADLINE)
    }

    /// Keeps the connection, until the program ends.
    async fn keep(self: Arc<Self>, mut here: bool, stop: CancellationToken) {
        let mut pause = PAUSES[0];
        loop {
            let wait = if here { HEARTBEAT } else { pause };
            let look_again = async {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.lost.notified(), if here => {}
                }
            };
            tokio::select! {
                () = look_again => {}
                () = stop.cancelled() => return,
            }
            pause = if here { PAUSES[0] } else { (pause * 2).min(PAUSES[1]) };
            here = self.look().await;
        }
    }

    /// Connects, or asks for a sign of life; whether the server can be used.
    async fn look(&self) -> bool {
        let (connection, refuses) = {
            let link = self.link();
            (link.connection.clone(), link.refuses)
        };
        let looked = match connection {
            Some(connection) => in_time(sign_of_life(connection, refuses)).await,
            None => in_time(self.connect()).await.map(|connection| {
                let mut link = self.link();
                (link.connection, link.made) = (Some(connection), link.made + 1);
            }),
        };
        // Under one lock, so that health never says more than a call would find.
        let mut link = self.link();
        match looked {
            // A call may have lost it, or been refused, meanwhile.
            Ok(()) if link.connection.is_some() && link.refuses == refuses => {
                link.refuses = false;
                self.meter.here();
            }
            Ok(()) => {}
            Err(trouble) => {
                link.connection = link.connection.take().filter(|_| trouble.answered);
                self.meter.away(trouble.reason);
            }
        }
        link.connection.is_some()
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Trouble> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DEADLINE))
            .set_response_timeout(Some(DEADLINE));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        for collection in Collection::ALL {
            let key = key(collection);
            let found: String = redis::cmd("TYPE").arg(&key).query_async(&mut connection).await?;
            // A transaction does not undo its other commands when one meets the wrong type.
            if !["none", "hash"].contains(&found.as_str()) {
                let reason = format!("its key {key} holds a {found} of another program");
                return Err(Trouble { reason, answered: true });
            }
        }
        Ok(connection)
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().expect("no code that can panic runs under this lock")
    }
}

async fn in_time<T>(looking: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    tokio::time::timeout(DEADLINE, looking).await.unwrap_or_else(|_| Err(Trouble::silent()))
}

async fn sign_of_life(mut connection: MultiplexedConnection, by_writing: bool) -> Result<(), Trouble> {
    if by_writing {
        redis::cmd("SET").arg(PROBE).arg(1).arg("EX").arg(60).exec_async(&mut connection).await?;
    } else {
        redis::cmd("PING").exec_async(&mut connection).await?;
    }
    Ok(())
}

impl Trouble {
    fn silent() -> Self {
        let reason = format!("it did not answer within {} s", DEADLINE.as_secs());
        Self { reason, answered: false }
    }

    /// In our words where we know what it means. Never the address.
    fn from(e: &RedisError) -> Self {
        let answered = matches!(e.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
        let code = e.code().unwrap_or_default();
        let reason = match e.kind() {
            _ if e.is_timeout() => return Self::silent(),
            _ if e.is_connection_refusal() => "nothing listens at its address".to_owned(),
            _ if e.is_connection_dropped() => "it closed the connection".to_owned(),
            ErrorKind::AuthenticationFailed => "it refuses the password (REDIS_PASSWORD)".to_owned(),
            _ if code == "WRONGPASS" => "it refuses the password (REDIS_PASSWORD)".to_owned(),
            _ if code == "NOAUTH" => "it wants a password (REDIS_PASSWORD)".to_owned(),
            _ if code == "OOM" => "it has no memory left".to_owned(),
            _ if code == "MISCONF" => "it can't write to its disk".to_owned(),
            _ if code == "READONLY" => "it is a read-only replica".to_owned(),
            _ => e.to_string(),
        };
        Self { reason, answered }
    }
}

impl From<RedisError> for Trouble {
    fn from(e: RedisError) -> Self {
        Self::from(&e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_without_being_shown() {
        for (url, good) in [
            ("redis://localhost", true),
            ("redis://user:hunter2@localhost:6380/3", true),
            ("redis://:hunter2@localhost:port", false),
            ("redis://:hunter2@localhost/x", false),
            ("rediss://:hunter2@localhost", false),
            ("hunter2", false),
            ("", false),
        ] {
            match client(&Secret::new(url), None) {
                Ok(_) => assert!(good, "{url}"),
                Err(e) => assert!(!good && !format!("{e} {e:?}").contains("hunter2"), "{e}"),
            }
        }
    }

    #[test]
    fn a_password_of_its_own_wins_over_the_one_in_the_address() {
        let url = Secret::new("redis://user:old@localhost/2");
        let client = client(&url, Some(&Secret::new("new"))).unwrap();
        let settings = client.get_connection_info().redis_settings();
        let all = (settings.username(), settings.password(), settings.db());
        assert_eq!(all, (Some("user"), Some("new"), 2));
    }

    #[test]
    fn a_batch_is_one_transaction_with_few_commands_in_the_order_of_the_changes() {
        let row = |collection, id: &str, text: Option<&str>| Row {
            collection,
            id: id.to_owned(),
            text: text.map(str::to_owned),
        };
        let rows = [
            row(Collection::Streams, "a", Some("1")),
            row(Collection::Streams, "b", Some("2")),
            row(Collection::Streams, "a", None),
            row(Collection::Settings, "a", None),
            row(Collection::Streams, "a", Some("3")),
        ];
        let sent = String::from_utf8(transaction(&rows).get_packed_pipeline()).unwrap();
        let words: Vec<_> = sent.split("\r\n").filter(|word| !word.starts_with(['*', '$'])).collect();
        let expected = "MULTI HSET onair:streams a 1 b 2 HDEL onair:streams a HDEL onair:settings a \
                        HSET onair:streams a 3 EXEC ";
        assert_eq!(words.join(" "), expected);
    }
}
