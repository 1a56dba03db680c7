-- one row per (workspace, quarter, locale) of the changed days, in this order
select
  workspace_id,
  quarter,
  locale,
  sum(credits)::bigint as credits,
  sum(characters)::bigint as characters,
  sum(lines)::bigint as lines,
  sum(corrected)::bigint as corrected,
  sum(audio_ms)::bigint as audio_ms,
  count(*) filter (run_status = 'pending') as runs_pending,
  count(*) filter (run_status = 'running') as runs_running,
  count(*) filter (run_status = 'paused') as runs_paused,
  count(*) filter (run_status = 'completed') as runs_completed,
  count(*) filter (run_status = 'failed') as runs_failed,
  count(*) filter (run_status = 'cancelled') as runs_cancelled
from allocated
group by workspace_id, quarter, locale
having greatest(sum(credits), sum(characters), sum(lines), sum(corrected), sum(audio_ms), count(run_status)) > 0
order by workspace_id, quarter, locale nulls first
