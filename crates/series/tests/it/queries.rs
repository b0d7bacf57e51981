//! What is asked of both.

/// Functions of a window, each over counters and gauges.
const WINDOWED: [&str; 21] = [
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "changes",
    "resets",
    "deriv",
    "avg_over_time",
    "sum_over_time",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "stdvar_over_time",
    "stddev_over_time",
    "last_over_time",
    "present_over_time",
    "absent_over_time",
    "rate",
    "delta",
    "increase",
];
const MATH: [&str; 22] = [
    "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "sin", "cos", "tan",
    "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "deg", "rad", "round",
];
const DATES: [&str; 8] = [
    "minute",
    "hour",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "month",
    "year",
];
const AGGREGATIONS: [&str; 8] = ["sum", "avg", "min", "max", "count", "stddev", "stdvar", "group"];
const OPERATORS: [&str; 13] =
    ["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<="];

/// Queries that have a shape of their own. Which of several equal values `topk` takes is nobody's
/// promise, so none are asked for.
const SINGLE: [&str; 115] = [
    "1",
    "-1.5e3",
    "NaN",
    "-Inf",
    "0x1F",
    "time()",
    "vector(1)",
    "vector(time())",
    "pi()",
    "1 + 2 * 3 ^ 2",
    "1 == bool 1",
    "2 > bool 3",
    "-temperature",
    "+temperature",
    "up",
    "{__name__=~\"up|sparse\"}",
    "{job=\"api\", __name__=\"up\"}",
    "up{job!=\"api\"}",
    "up{job=~\"a.*|d.\"}",
    "up{job!~\"a.*\"}",
    "up{nothing=\"\"}",
    "up{job=\"nobody\"}",
    "requests_total offset 5m",
    "requests_total offset -7m",
    "comes_and_goes",
    "comes_and_goes offset 1m",
    "count(comes_and_goes)",
    "rate(comes_and_goes[5m])",
    "count_over_time(comes_and_goes[10m])",
    "up @ 1790003600",
    "up @ start()",
    "up @ end()",
    "rate(requests_total[5m] @ 1790003600)",
    "rate(requests_total[5m] @ end() offset 10m)",
    "sum(rate(requests_total[5m]))",
    "sum by (job) (rate(requests_total[5m]))",
    "sum without (instance, code) (rate(requests_total[5m]))",
    "sum by () (up)",
    "sum without () (up)",
    "avg by (job, code) (requests_total)",
    "count by (nothing) (up)",
    "topk(3, memory_bytes)",
    "bottomk(2, memory_bytes)",
    "topk by (job) (1, memory_bytes)",
    "topk(0, up)",
    "topk(100, up)",
    "quantile(0.9, memory_bytes)",
    "quantile by (job) (0.5, requests_total)",
    "quantile(-1, up)",
    "quantile(2, up)",
    "count_values(\"value\", up)",
    "count_values by (job) (\"v\", up)",
    "scalar(started_at)",
    "scalar(up)",
    "clamp(temperature, 0, 10)",
    "clamp(temperature, 10, 0)",
    "clamp_min(temperature, 3)",
    "clamp_max(temperature, 3)",
    "round(memory_bytes, 1000)",
    "round(temperature, 0.5)",
    "absent(up)",
    "absent(nothing{a=\"b\", c=~\"d\"})",
    "absent(sum(nothing))",
    "absent(up{job=\"x\"})",
    "absent_over_time(nothing{a=\"b\"}[5m])",
    "histogram_quantile(0.5, latency_seconds_bucket)",
    "histogram_quantile(0.9, rate(latency_seconds_bucket[5m]))",
    "histogram_quantile(0.99, sum by (le) (rate(latency_seconds_bucket[5m])))",
    "histogram_quantile(0.9, sum by (job, le) (increase(latency_seconds_bucket[10m])))",
    "histogram_quantile(1, latency_seconds_bucket)",
    "histogram_quantile(0, latency_seconds_bucket)",
    "histogram_quantile(-1, latency_seconds_bucket)",
    "rate(latency_seconds_sum[5m]) / rate(latency_seconds_count[5m])",
    "label_replace(up, \"where\", \"$1-$2\", \"job\", \"(.)(.*)\")",
    "label_replace(up, \"job\", \"all\", \"nothing\", \"\")",
    "label_replace(up, \"job\", \"\", \"job\", \"web\")",
    "label_replace(up, \"x\", \"${1}z\", \"job\", \"(a).*\")",
    "label_join(up, \"both\", \"/\", \"job\", \"instance\")",
    "label_join(up, \"none\", \",\")",
    "sort(memory_bytes)",
    "sort_desc(memory_bytes)",
    "timestamp(up)",
    "timestamp(timestamp(up))",
    "timestamp(up + 1)",
    "predict_linear(memory_bytes[10m], 3600)",
    "holt_winters(memory_bytes[10m], 0.5, 0.1)",
    "holt_winters(comes_and_goes[20m], 0.9, 0.9)",
    "holt_winters(requests_total[2m:20s], 0.1, 0.5)",
    "predict_linear(memory_bytes[10m] offset 5m, 600)",
    "quantile_over_time(0.75, memory_bytes[10m])",
    "quantile_over_time(0.5, temperature[10m])",
    "requests_total{code=\"500\"} / ignoring(code) requests_total{code=\"200\"}",
    "requests_total{code=\"500\"} / on(job, instance) requests_total{code=\"200\"}",
    "up * on(job) group_left(version) build_info",
    "build_info * on(job) group_right(branch) up",
    "requests_total * ignoring(code, instance) group_left(version) build_info",
    "up == bool 1",
    "up and on(job) build_info",
    "up unless on(job) build_info",
    "up or build_info",
    "up or on(job) build_info",
    "up and up == 0",
    "memory_bytes > 1e9 or vector(0)",
    "requests_total > 100 < 2000",
    "max_over_time(rate(requests_total[5m])[30m:1m])",
    "avg_over_time(up[20m:])",
    "sum_over_time(sum(up)[15m:30s])",
    "rate(sum by (job) (requests_total)[10m:15s])",
    "max_over_time(up[10m:1m] offset 3m)",
    "max_over_time(up[10m:1m] @ 1790003600)",
    "min_over_time(rate(requests_total[1m])[10m:20s])",
    "count(rate(requests_total[1m]) > 0) by (job)",
    "time() - timestamp(up)",
    "day_of_week(vector(1700000000))",
    "hour()",
];

/// Queries without an answer: both must say so.
pub(crate) const WRONG: [&str; 16] = [
    "",
    "up +",
    "{}",
    "{job=~\".*\"}",
    "sum(",
    "nosuchfunction(up)",
    "holt_winters(up[5m], 1, 0.5)",
    "count_values(\"a-b\", up)",
    "rate(up)",
    "up[5m]+1",
    "up + on(job) up",
    "up * on(job) group_left(version) requests_total",
    "{__name__=~\"up|sparse\"} + 1",
    "label_replace(up, \"job\", \"x\", \"job\", \".*\")",
    "label_replace(up, \"job\", \"x\", \"job\", \"(\")",
    "count_values(\"\", up) + topk(NaN, up)",
];

pub(crate) fn all() -> Vec<String> {
    let mut all: Vec<String> = SINGLE.iter().map(|query| (*query).to_owned()).collect();
    for (index, function) in WINDOWED.iter().enumerate() {
        let windows = ["1m", "5m", "17m"];
        let series = ["requests_total", "memory_bytes", "temperature", "sparse", "comes_and_goes"];
        for (at, one) in series.iter().enumerate() {
            all.push(format!("{function}({one}[{}])", windows[(index + at) % windows.len()]));
        }
    }
    for function in MATH {
        all.push(format!("{function}(temperature)"));
        all.push(format!("{function}(sparse / 10)"));
    }
    all.extend(DATES.iter().map(|function| format!("{function}(started_at)")));
    for aggregation in AGGREGATIONS {
        all.push(format!("{aggregation}(temperature)"));
        all.push(format!("{aggregation} by (job) (memory_bytes)"));
    }
    for operator in OPERATORS {
        all.push(format!("temperature {operator} 2"));
        all.push(format!("3 {operator} temperature"));
        all.push(format!("memory_bytes {operator} ignoring(x) sparse"));
    }
    all.sort();
    all.dedup();
    all
}
