//! Decides which recordings are deleted. Pure: a list of files in, the doomed out.
//!
//! Called by `keeper`. Oldest first, never a file being written. Four rules, one after the other, each
//! counting what the rules before it have freed: age, a stream's own limit, the limit of all, free space.
//! When something else fills the disk the last rule may take every finished recording: free space has been
//! promised to the rest of the machine.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::streams::StreamName;

/// One recording, as far as retention is concerned.
#[derive(Clone, Debug)]
pub(super) struct FileInfo {
    pub(super) stream: StreamName,
    /// When it was last written.
    pub(super) last: Timestamp,
    pub(super) bytes: u64,
    /// It is being written.
    pub(super) active: bool,
}

/// How much may stay. `None` is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Policy {
    pub(super) retention: Option<Duration>,
    pub(super) max_stream_bytes: Option<u64>,
    pub(super) max_total_bytes: Option<u64>,
    pub(super) min_free_bytes: u64,
}

/// Which rule a recording fell to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Age,
    StreamLimit,
    TotalLimit,
    FreeSpace,
}

impl Rule {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "older than recording.retention_days",
            Self::StreamLimit => "its stream is over recording.max_stream_gb",
            Self::TotalLimit => "recordings are over recording.max_total_gb",
            Self::FreeSpace => "less is free than recording.min_free_gb",
        }
    }
}

/// Indices into `files` of what is to be deleted, in this order, and why. `free` is what the disk has now.
pub(super) fn plan(files: &[FileInfo], policy: &Policy, now: Timestamp, free: u64) -> Vec<(usize, Rule)> {
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|&i| files[i].last);
    let mut total: u64 = files.iter().map(|file| file.bytes).sum();
    let mut by_stream: HashMap<&StreamName, u64> = HashMap::new();
    for file in files {
        *by_stream.entry(&file.stream).or_default() += file.bytes;
    }
    let all = total;

    let mut doomed = Vec::new();
    for rule in [Rule::Age, Rule::StreamLimit, Rule::TotalLimit, Rule::FreeSpace] {
        order.retain(|&i| {
            let file = &files[i];
            let of_stream = by_stream.entry(&file.stream).or_default();
            let falls = !file.active
                && match rule {
                    Rule::Age => policy.retention.is_some_and(|most| age(file, now) > most),
                    Rule::StreamLimit => policy.max_stream_bytes.is_some_and(|most| *of_stream > most),
                    Rule::TotalLimit => policy.max_total_bytes.is_some_and(|most| total > most),
                    Rule::FreeSpace => free.saturating_add(all - total) < policy.min_free_bytes,
                };
            if falls {
                total -= file.bytes;
                *of_stream -= file.bytes;
                doomed.push((i, rule));
            }
            !falls
        });
    }
    doomed
}

fn age(file: &FileInfo, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(file.last)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> Timestamp {
        "2026-02-01T03:00:00Z".parse().unwrap()
    }

    /// `(stream, days ago, bytes)`; a stream in capitals is being written.
    fn file((stream, days, bytes): (&str, u32, u64)) -> FileInfo {
        FileInfo {
            stream: StreamName::parse(&stream.to_lowercase()).unwrap(),
            last: now() - DAY * days,
            bytes,
            active: stream.chars().all(char::is_uppercase),
        }
    }

    #[test]
    fn each_rule_takes_the_oldest_and_no_more_than_it_must() {
        let files: Vec<_> =
            [("a", 1, 10), ("b", 9, 10), ("A", 8, 10), ("a", 3, 10), ("b", 2, 10), ("b", 0, 10)]
                .map(file)
                .into();
        let none = Policy::default();
        for (policy, free, expected) in [
            (none, 0, vec![]),
            (Policy { retention: Some(DAY * 7), ..none }, 0, vec![(1, Rule::Age)]),
            (Policy { retention: Some(DAY * 9), ..none }, 0, vec![]),
            (
                Policy { max_stream_bytes: Some(20), ..none },
                0,
                vec![(1, Rule::StreamLimit), (3, Rule::StreamLimit)],
            ),
            (Policy { max_stream_bytes: Some(0), ..none }, 0, {
                [1, 3, 4, 0, 5].map(|i| (i, Rule::StreamLimit)).into()
            }),
            (
                Policy { max_total_bytes: Some(45), ..none },
                0,
                vec![(1, Rule::TotalLimit), (3, Rule::TotalLimit)],
            ),
            (Policy { min_free_bytes: 100, ..none }, 85, vec![(1, Rule::FreeSpace), (3, Rule::FreeSpace)]),
            (Policy { min_free_bytes: 100, ..none }, 100, vec![]),
            (
                Policy { retention: Some(DAY * 7), max_total_bytes: Some(40), min_free_bytes: 30, ..none },
                5,
                vec![(1, Rule::Age), (3, Rule::TotalLimit), (4, Rule::FreeSpace)],
            ),
        ] {
            assert_eq!(plan(&files, &policy, now(), free), expected, "{policy:?} with {free} free");
        }
    }

    #[test]
    fn a_file_from_the_future_is_not_old() {
        let files = [FileInfo { last: now() + DAY, ..file(("a", 0, 10)) }];
        assert_eq!(plan(&files, &Policy { retention: Some(DAY), ..Policy::default() }, now(), 0), []);
    }

    fn files() -> impl Strategy<Value = Vec<FileInfo>> {
        let one = (0..4_usize, 0..20_u32, 0..1000_u64, any::<bool>());
        vec(one, 0..40).prop_map(|all| {
            all.into_iter()
                .map(|(stream, days, bytes, active)| {
                    let name = ["a", "b", "c", "d"][stream];
                    FileInfo { active, ..file((name, days, bytes)) }
                })
                .collect()
        })
    }

    fn policies() -> impl Strategy<Value = Policy> {
        let limit = || option::of(0..20_000_u64);
        (option::of(0..20_u32), limit(), limit(), 0..20_000_u64, Just(())).prop_map(
            |(days, max_stream_bytes, max_total_bytes, min_free_bytes, ())| Policy {
                retention: days.map(|days| DAY * days),
                max_stream_bytes,
                max_total_bytes,
                min_free_bytes,
            },
        )
    }

    proptest! {
        #[test]
        fn what_stays_obeys_every_rule_as_far_as_finished_files_allow(
            files in files(), policy in policies(), free in 0..20_000_u64,
        ) {
            let doomed = plan(&files, &policy, now(), free);
            let gone: std::collections::HashSet<_> = doomed.iter().map(|&(i, _)| i).collect();
            prop_assert_eq!(gone.len(), doomed.len(), "no file twice");
            prop_assert!(gone.iter().all(|&i| !files[i].active), "never a file being written");

            let stays = || files.iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, file)| file);
            let bytes: u64 = stays().map(|file| file.bytes).sum();
            let freed: u64 = gone.iter().map(|&i| files[i].bytes).sum();
            let mut idle = stays().filter(|file| !file.active);
            if idle.next().is_some() {
                prop_assert!(policy.max_total_bytes.is_none_or(|most| bytes <= most));
                prop_assert!(free + freed >= policy.min_free_bytes);
            }
            for file in stays().filter(|file| !file.active) {
                prop_assert!(policy.retention.is_none_or(|most| age(file, now()) <= most));
                let own: u64 = stays().filter(|other| other.stream == file.stream).map(|other| other.bytes).sum();
                prop_assert!(policy.max_stream_bytes.is_none_or(|most| own <= most));
            }
        }

        #[test]
        fn within_a_rule_nothing_older_stays_while_something_newer_goes(
            files in files(), policy in policies(), free in 0..20_000_u64,
        ) {
            let doomed = plan(&files, &policy, now(), free);
            let stays = |i: usize| !doomed.iter().any(|&(gone, _)| gone == i);
            for &(gone, rule) in &doomed {
                for (i, file) in files.iter().enumerate().filter(|&(i, file)| !file.active && stays(i)) {
                    let rival = rule != Rule::StreamLimit || file.stream == files[gone].stream;
                    prop_assert!(!rival || file.last >= files[gone].last, "{i} stays, {gone} goes by {rule:?}");
                }
            }
        }

        #[test]
        fn with_the_doomed_gone_nothing_more_is_to_do(
            files in files(), policy in policies(), free in 0..20_000_u64,
        ) {
            let doomed = plan(&files, &policy, now(), free);
            let freed: u64 = doomed.iter().map(|&(i, _)| files[i].bytes).sum();
            let left: Vec<_> = (0..files.len())
                .filter(|i| !doomed.iter().any(|(gone, _)| gone == i))
                .map(|i| files[i].clone())
                .collect();
            prop_assert_eq!(plan(&left, &policy, now(), free + freed), []);
        }
    }
}
