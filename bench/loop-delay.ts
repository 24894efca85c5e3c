/**
 * Loaded before an agent (`node --import`): on SIGUSR2 appends one JSON line with the event loop's delays since the last one to the file that
 * BENCH_LOOP names. Sampled every millisecond: what is below 1 ms is the sampling's own.
 */
import { appendFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.on('SIGUSR2', () => {
  const [p50_ms, p90_ms, p99_ms] = [50, 90, 99].map((percentile) => Math.max(0, delay.percentile(percentile) / 1e6 - 1));
  appendFileSync(
    process.env['BENCH_LOOP'] ?? '',
    `${JSON.stringify({ n: delay.count, p50_ms, p90_ms, p99_ms, max_ms: delay.max / 1e6 - 1 })}\n`,
  );
  delay.reset();
});
