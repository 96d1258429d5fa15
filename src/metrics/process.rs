//! The process as Linux sees it, from `/proc`. Elsewhere these numbers are left out.

use std::fmt;
use std::fs;

use super::page::Page;

/// Clock ticks a second in `/proc` (USER_HZ): 100 on every architecture that the server is built for.
const TICKS: f64 = 100.0;

pub(super) fn tell(page: &mut Page<'_>) -> fmt::Result {
    if let Some(stat) = Stat::read() {
        let cpu = "Processor time that the process used, user and system.";
        page.counter("process_cpu_seconds", cpu, stat.cpu_seconds)?;
        let start = "When the process started, in seconds since 1970.";
        page.gauge("process_start_time_seconds", start, stat.started_at)?;
    }
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let bytes = |name| field(&status, name).map(|kibibytes| kibibytes * 1024);
        let known = [
            ("process_resident_memory_bytes", "Memory of the process that is in RAM.", bytes("VmRSS:")),
            ("process_virtual_memory_bytes", "Address space of the process.", bytes("VmSize:")),
            ("process_threads", "Threads of the process.", field(&status, "Threads:")),
        ];
        for (name, help, value) in known {
            page.gauge_if(name, help, value)?;
        }
    }
    let open = fs::read_dir("/proc/self/fd").ok().and_then(|files| i64::try_from(files.count()).ok());
    page.gauge_if("process_open_fds", "File descriptors that are open.", open)?;
    let most =
        fs::read_to_string("/proc/self/limits").ok().and_then(|limits| field(&limits, "Max open files"));
    page.gauge_if("process_max_fds", "File descriptors that may be open.", most)
}

/// The number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

struct Stat {
    cpu_seconds: f64,
    started_at: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        let booted_at = field(&fs::read_to_string("/proc/stat").ok()?, "btime")?;
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?, booted_at)
    }

    /// proc(5). The second field, the program's name, may hold anything, so counting begins behind it with the third.
    fn parse(stat: &str, booted_at: i64) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_seconds: (ticks(14)? + ticks(15)?) as f64 / TICKS,
            started_at: booted_at as f64 + ticks(22)? as f64 / TICKS,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Stat, field};

    #[test]
    fn times_are_read_behind_a_name_of_any_kind() {
        let stat = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 8 0 1234 99 98";
        let read = Stat::parse(stat, 1000).unwrap();
        assert_eq!((read.cpu_seconds, read.started_at), (2.0, 1012.34));
        assert!(Stat::parse("42 (a) S 1", 0).is_none());
    }

    #[test]
    fn a_field_is_the_number_behind_its_name() {
        assert_eq!(field("VmSize:\t  1024 kB\nVmRSS:\t  512 kB\n", "VmRSS:"), Some(512));
        assert_eq!(
            field(
                "Max open files            1024                 524288               files",
                "Max open files"
            ),
            Some(1024)
        );
        assert_eq!(field("Threads:\n", "Threads:"), None);
    }
}
