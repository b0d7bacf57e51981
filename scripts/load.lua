-- For wrk: prints the figures that the benchmark of the gateway reads, one a line.
done = function(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format("rate %f\n", summary.requests / (summary.duration / 1e6)))
    io.write(string.format("p50 %f\n", latency:percentile(50) / 1e3))
    io.write(string.format("p95 %f\n", latency:percentile(95) / 1e3))
    io.write(string.format("errors %d\n", failed))
end
