//! One closed-loop client.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::measurement::Measurement;
use crate::target::{Connection, RequestError, TargetKind};
use crate::{Arguments, Operation};

/// How long a client waits after a failure, so that it does not spin against a store that is down.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);
/// How many neighbouring keys are read at once.
const RANGE_KEYS: u64 = 100;
/// Of what values are made: most stores hold text.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One closed-loop client.
pub struct Client {
    operation: Operation,
    key_prefix: String,
    keys: Range<u64>,
    batch: u64,
    value: Bytes,
    random: u64,
    /// Whether the next operation of a mixed load is a put.
    is_put_next: bool,
    is_impatient: bool,
    /// How long after one operation the next is to be sent, if that is not as soon as possible.
    interval: Option<Duration>,
    connection: Connection,
    target: TargetKind,
    endpoint: String,
    measurement: Rc<RefCell<Measurement>>,
    /// The next key to load; all clients share it.
    next_key: Rc<Cell<u64>>,
}

impl Client {
    /// The client of this `number`, which has a connection to `endpoint`.
    pub fn new(
        arguments: &Arguments,
        number: u64,
        endpoint: &str,
        connection: Connection,
        measurement: Rc<RefCell<Measurement>>,
        next_key: Rc<Cell<u64>>,
    ) -> Client {
        // Any odd factor spreads the clients' generators; they need not be good, only different.
        let mut random = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let value = (0..arguments.value_bytes).map(|_| LETTERS[(next_random(&mut random) % 64) as usize]);
        Client {
            operation: arguments.operation,
            key_prefix: arguments.key_prefix.clone(),
            keys: arguments.first_key..arguments.first_key + arguments.keys,
            batch: arguments.batch,
            value: value.collect(),
            random,
            is_put_next: number.is_multiple_of(2),
            is_impatient: arguments.impatient,
            interval: arguments.rate.map(|rate| Duration::from_secs_f64(arguments.clients as f64 / rate)),
            connection,
            target: arguments.target,
            endpoint: endpoint.to_owned(),
            measurement,
            next_key,
        }
    }

    /// Works until the measurement is over or, if it loads, until every key is there.
    pub async fn run(mut self) {
        if self.operation == Operation::Load {
            return self.load().await;
        }
        // Clients do not begin in step.
        let mut due = Instant::now()
            + self
                .interval
                .unwrap_or_default()
                .mul_f64(f64::from(next_random(&mut self.random) as u32) / u32::MAX as f64);
        while !self.measurement.borrow().is_over() {
            let mut began = Instant::now();
            if let Some(interval) = self.interval {
                tokio::time::sleep_until(due.into()).await;
                began = due;
                due += interval;
            }
            let result = self.send().await;
            self.measurement.borrow_mut().record(began, &result);
            if let Err(error) = result {
                self.recover(&error).await;
            }
        }
    }

    /// Puts keys that no other client has put until there are none left. A key that is to be there must be
    /// there, so it tries again.
    async fn load(&mut self) {
        while let Some(keys) = self.next_keys() {
            let began = Instant::now();
            loop {
                let result = match keys.as_slice() {
                    [key] => self.connection.put(key, self.value.clone()).await,
                    keys => self.connection.put_all(keys, &self.value).await,
                };
                let counted = if result.is_ok() { keys.len() } else { 1 };
                (0..counted).for_each(|_| self.measurement.borrow_mut().record(began, &result));
                match result {
                    Ok(()) => break,
                    Err(error) => self.recover(&error).await,
                }
            }
        }
    }

    fn next_keys(&self) -> Option<Vec<String>> {
        let first = self.next_key.get();
        let end = (first + self.batch).min(self.keys.end);
        self.next_key.set(end);
        (first < end).then(|| (first..end).map(|number| self.key(number)).collect())
    }

    fn key(&self, number: u64) -> String {
        format!("{}{number:010}", self.key_prefix)
    }

    fn random_key(&mut self) -> u64 {
        self.keys.start + next_random(&mut self.random) % (self.keys.end - self.keys.start)
    }

    async fn send(&mut self) -> Result<(), RequestError> {
        let number = self.random_key();
        let key = self.key(number);
        match self.operation {
            Operation::Put | Operation::Load => self.connection.put(&key, self.value.clone()).await,
            Operation::Get => self.get(&key).await,
            Operation::Transaction => self.connection.put_if_there(&key, &self.value).await,
            Operation::Mixed => {
                self.is_put_next = !self.is_put_next;
                match self.is_put_next {
                    true => self.connection.put(&key, self.value.clone()).await,
                    false => self.get(&key).await,
                }
            }
            Operation::Range => {
                // The keys that differ in the last two of their digits.
                let prefix = format!("{}{:08}", self.key_prefix, number / RANGE_KEYS);
                match self.connection.range(&prefix).await? {
                    RANGE_KEYS => Ok(()),
                    found => Err(RequestError::Answer(format!("{found} keys of {RANGE_KEYS}"))),
                }
            }
        }
    }

    async fn get(&mut self, key: &str) -> Result<(), RequestError> {
        let bytes = self.connection.get(key).await?;
        if bytes == self.value.len() {
            Ok(())
        } else {
            Err(RequestError::Answer(format!("a value of {bytes} bytes")))
        }
    }

    /// Waits a little and connects again if that is needed; if that fails, the next request will.
    async fn recover(&mut self, error: &RequestError) {
        let pause = match error {
            RequestError::Refused { retry_after: Some(asked), .. } if !self.is_impatient => *asked,
            _ => PAUSE_AFTER_ERROR,
        };
        tokio::time::sleep(pause).await;
        if matches!(error, RequestError::Refused { .. }) && self.connection.is_usable() {
            return;
        }
        if let Ok(connection) = Connection::open(self.target, &self.endpoint).await {
            self.connection = connection;
        }
    }
}

/// Marsaglia's xorshift: fast, and good enough to choose keys.
fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
