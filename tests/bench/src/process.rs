//! What the kernel says a process has used.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use crate::Result;

/// Linux counts process times in USER_HZ, which is 100 on every architecture it runs on today.
const TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Copy)]
struct Times {
    parent: u32,
    own: u64,
    reaped_children: u64,
}

/// User and system time of one process.
pub fn cpu(pid: u32) -> Result<Duration> {
    let times = times(pid).ok_or_else(|| format!("process {pid} is gone"))?;
    Ok(ticks(times.own))
}

/// User and system time of a process and all its descendants, those that have ended and been reaped included.
pub fn cpu_of_tree(pid: u32) -> Result<Duration> {
    let total = tree(pid)?.values().map(|times| times.own + times.reaped_children).sum();
    Ok(ticks(total))
}

/// A process and its descendants.
fn tree(root: u32) -> Result<HashMap<u32, Times>> {
    let mut others = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end while we look: then the next reading has it among the reaped ones.
        others.extend(times(pid).map(|times| (pid, times)));
    }
    let first = others.remove(&root).ok_or_else(|| format!("process {root} is gone"))?;
    let mut members = HashMap::from([(root, first)]);
    loop {
        let children = others.extract_if(|_, times| members.contains_key(&times.parent)).collect::<Vec<_>>();
        if children.is_empty() {
            return Ok(members);
        }
        members.extend(children);
    }
}

fn ticks(count: u64) -> Duration {
    Duration::from_micros(count.saturating_mul(TICK.as_micros() as u64))
}

fn times(pid: u32) -> Option<Times> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The command's name (in parentheses) may hold anything, so fields count from its last parenthesis.
fn parse_stat(stat: &str) -> Option<Times> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // proc(5) numbers the state 3: ppid 4, utime 14, stime 15, cutime 16, cstime 17.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Times {
        parent: u32::try_from(number(4)?).ok()?,
        own: number(14)? + number(15)?,
        reaped_children: number(16)? + number(17)?,
    })
}

/// Resident memory now and at its highest, in bytes.
#[derive(Clone, Copy)]
pub struct Memory {
    pub resident: u64,
    pub peak: u64,
}

/// Begins to watch the highest resident memory anew, where the kernel lets us.
pub fn forget_peak(pid: u32) {
    // proc_pid_clear_refs(5): 5 resets VmHWM. Without the right to do so, the peak is that of the whole run.
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

pub fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let read = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    };
    match (read("VmRSS:"), read("VmHWM:")) {
        (Some(resident), Some(peak)) => Ok(Memory { resident, peak }),
        _ => Err(format!("process {pid} has no memory figures").into()),
    }
}

/// Resident memory of a process and all its descendants; what they share counts for each.
pub fn resident_of_tree(pid: u32) -> Result<u64> {
    let members = tree(pid)?;
    Ok(members.keys().filter_map(|pid| memory(*pid).ok()).map(|memory| memory.resident).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_after_the_name() -> Result<()> {
        let stat = "7 (a) b) S 3 7 7 0 -1 4194560 1 2 3 4 500 60 7 8 20 0 1 0 100 0 0";
        let times = parse_stat(stat).ok_or("unreadable")?;
        assert_eq!((times.parent, times.own, times.reaped_children), (3, 560, 15));
        Ok(())
    }

    #[test]
    fn a_child_that_has_ended_counts() -> Result<()> {
        let before = cpu_of_tree(std::process::id())?;
        let work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        assert!(std::process::Command::new("sh").args(["-c", work]).status()?.success());
        let spent = cpu_of_tree(std::process::id())? - before;
        assert!(spent >= Duration::from_millis(30), "{spent:?}");
        Ok(())
    }

    #[test]
    fn a_grandchild_belongs_to_the_tree() -> Result<()> {
        let alone = memory(std::process::id())?.resident;
        // The shell stays the parent of both.
        let mut shell = std::process::Command::new("sh").args(["-c", "sleep 30 & sleep 30; :"]).spawn()?;
        std::thread::sleep(Duration::from_millis(300));
        let (members, resident) = (tree(shell.id())?, resident_of_tree(std::process::id())?);
        for pid in members.keys().filter(|pid| **pid != shell.id()) {
            std::process::Command::new("kill").arg(pid.to_string()).status()?;
        }
        shell.wait()?;
        assert_eq!(members.len(), 3, "the shell and its two children");
        assert!(resident > alone);
        Ok(())
    }

    #[test]
    fn this_process_has_figures() -> Result<()> {
        let pid = std::process::id();
        cpu(pid)?;
        cpu_of_tree(pid)?;
        let memory = memory(pid)?;
        assert!(memory.resident > 0 && memory.peak >= memory.resident);
        Ok(())
    }
}
