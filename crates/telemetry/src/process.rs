//! The process's own numbers, from `/proc/self`.

use std::fs;

use crate::table::Metrics;

/// Clock ticks a second in `/proc`: Linux has shown 100 to programs for as long as it has shown
/// ticks.
const TICKS: f64 = 100.0;

/// Reads memory, processor time, descriptors and threads of this process into `metrics`. What
/// cannot be read stays as it was.
pub fn observe_process(metrics: &Metrics) {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let set = |gauge: &crate::Gauge, value: Option<u64>| {
            if let Some(value) = value {
                gauge.set_count(value);
            }
        };
        set(&metrics.process_resident_memory, field("VmRSS:").map(|kib| kib * 1024));
        set(&metrics.process_virtual_memory, field("VmSize:").map(|kib| kib * 1024));
        set(&metrics.process_threads, field("Threads:"));
    }
    if let Some((cpu, start)) = read_times() {
        metrics.process_cpu.set(cpu);
        metrics.process_start_time.set(start);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        metrics.process_open_files.set_count(files.count() as u64);
    }
}

/// Processor seconds used, and the start in seconds since the epoch.
fn read_times() -> Option<(f64, f64)> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold blanks and brackets; the fields begin behind the last one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    let cpu = (ticks(11)? + ticks(12)?) / TICKS;
    let system = fs::read_to_string("/proc/stat").ok()?;
    let boot = system.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some((cpu, boot.trim().parse::<f64>().ok()? + ticks(19)? / TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_time_and_files() {
        let metrics = Metrics::new();
        observe_process(&metrics);
        assert!(metrics.process_resident_memory.get() > 100_000.0);
        assert!(metrics.process_virtual_memory.get() > metrics.process_resident_memory.get());
        assert!(metrics.process_open_files.get() >= 3.0);
        assert!(metrics.process_threads.get() >= 1.0);
        // After 2020 and not in the future of this test's writer's grandchildren.
        assert!((1.577e9..1e11).contains(&metrics.process_start_time.get()));
    }
}
