//! How much memory the process uses, and how much there is: read from `/proc` and the control groups, v1 and v2.

use std::fs;
use std::path::Path;

/// Page size where the kernel does not tell.
const USUAL_PAGE: u64 = 4096;
/// Entry of the auxiliary vector that holds the page size.
const AT_PAGESZ: u64 = 6;

/// Reads the resident memory of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resident {
    page_bytes: u64,
}

impl Resident {
    pub(super) fn new() -> Self {
        let auxv = fs::read("/proc/self/auxv").unwrap_or_default();
        Self { page_bytes: page_bytes(&auxv).unwrap_or(USUAL_PAGE) }
    }

    /// Resident memory in bytes.
    pub(super) fn read(&self) -> Option<u64> {
        let statm = fs::read_to_string("/proc/self/statm").ok()?;
        Some(statm.split_whitespace().nth(1)?.parse::<u64>().ok()?.saturating_mul(self.page_bytes))
    }
}

fn page_bytes(auxv: &[u8]) -> Option<u64> {
    let word = |bytes: &[u8]| Some(u64::from_ne_bytes(*bytes.first_chunk()?));
    let value = |pair: &[u8]| if word(pair)? == AT_PAGESZ { word(pair.get(8..)?) } else { None };
    auxv.chunks_exact(16).find_map(value).filter(|bytes| bytes.is_power_of_two())
}

/// Memory that this process may use: the least of its control groups' limits and what the machine has, in bytes.
pub(super) fn total() -> Option<u64> {
    total_below(Path::new("/"))
}

fn total_below(root: &Path) -> Option<u64> {
    let machine = machine(&fs::read_to_string(root.join("proc/meminfo")).ok()?);
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    groups.lines().flat_map(|line| group_limits(root, line)).chain(machine).min()
}

/// `MemTotal` in bytes.
fn machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The limits of a group and all groups around it. `line` is one of `/proc/self/cgroup`: `number:controllers:path`, where
/// v2 has no controllers. In a container the path may be the host's; then only the mounted root is there, and it is ours.
fn group_limits(root: &Path, line: &str) -> Vec<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (mount, file) = if controllers.is_empty() {
        ("sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|name| name == "memory") {
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return Vec::new();
    };
    let limit = |group: &Path| {
        let group = group.strip_prefix("/").unwrap_or(group);
        // "max" is no limit, and v1 says so with a number far beyond any machine.
        fs::read_to_string(root.join(mount).join(group).join(file)).ok()?.trim().parse().ok()
    };
    Path::new(path).ancestors().filter_map(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The least limit counts, whichever version of control groups has it and however far up.
    #[test]
    fn least_limit_counts() {
        let check = |files: &[(&str, &str)], expected: Option<u64>| {
            let root = tempfile::tempdir().unwrap();
            files.iter().for_each(|(path, text)| write(root.path(), path, text));
            assert_eq!(total_below(root.path()), expected, "{files:?}");
        };
        let meminfo = ("proc/meminfo", "MemTotal:        1000 kB\nMemFree: 1 kB\n");
        check(&[], None);
        check(&[meminfo], Some(1_024_000));
        let v2 = ("proc/self/cgroup", "0::/pod/app\n");
        check(&[meminfo, v2, ("sys/fs/cgroup/pod/app/memory.max", "max\n")], Some(1_024_000));
        check(&[meminfo, v2, ("sys/fs/cgroup/pod/app/memory.max", "500000\n")], Some(500_000));
        check(
            &[
                meminfo,
                v2,
                ("sys/fs/cgroup/pod/app/memory.max", "500000\n"),
                ("sys/fs/cgroup/pod/memory.max", "400000\n"),
            ],
            Some(400_000),
        );
        check(&[meminfo, v2, ("sys/fs/cgroup/memory.max", "300000\n")], Some(300_000));
        let v1 = ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n");
        check(&[meminfo, v1, ("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "200000\n")], Some(200_000));
        check(&[meminfo, v1, ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")], Some(1_024_000));
        check(&[meminfo, v1, ("sys/fs/cgroup/cpu/x/memory.limit_in_bytes", "1\n")], Some(1_024_000));
    }

    #[test]
    fn this_process_uses_memory() {
        let used = Resident::new().read().unwrap();
        assert!(used > 1 << 20 && used < 1 << 40, "{used}");
        assert!(total().unwrap() > used);
    }

    #[test]
    fn page_size_is_found() {
        let pair = |kind: u64, value: u64| [kind.to_ne_bytes(), value.to_ne_bytes()].concat();
        assert_eq!(page_bytes(&[pair(3, 9), pair(AT_PAGESZ, 16_384), pair(0, 0)].concat()), Some(16_384));
        assert_eq!(page_bytes(&[pair(3, 9), pair(0, 0)].concat()), None);
    }
}
