//! What files of the program are called: `<name>_YYYYMMDD_HHMMSS[_n].<ending>`, UTC. Called by `destination`.

use std::path::Path;

use jiff::tz::TimeZone;

use crate::base::clock::Wall;

/// A name that no file in `folder` has yet.
pub(super) fn free_name(folder: &Path, name: &str, now: Wall, ending: &str) -> String {
    let stamp = TimeZone::UTC.to_datetime(now.0).strftime("%Y%m%d_%H%M%S").to_string();
    let numbered = |number: u32| match number {
        1 => format!("{name}_{stamp}.{ending}"),
        _ => format!("{name}_{stamp}_{number}.{ending}"),
    };
    (1..).map(numbered).find(|file| !folder.join(file).exists()).expect("numbers don't run out in a second")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_second_and_a_number_where_it_is_taken() {
        let folder = tempfile::TempDir::new().unwrap();
        let now = Wall("2026-01-21T10:30:00.9Z".parse().unwrap());
        for expected in
            ["show_20260121_103000.mp4", "show_20260121_103000_2.mp4", "show_20260121_103000_3.mp4"]
        {
            let name = free_name(folder.path(), "show", now, "mp4");
            assert_eq!(name, expected);
            std::fs::write(folder.path().join(name), "").unwrap();
        }
    }
}
