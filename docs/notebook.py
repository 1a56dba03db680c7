"""One workspace in plots: its days, its languages and the hours of its day, read from `usage.duckdb`.

Reads the data folder that `USAGE_DATA_DIR` names; writes nothing. Open it with `marimo edit docs/notebook.py`.
"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import os
    from pathlib import Path

    import altair as alt
    import duckdb
    import marimo as mo

    usage = duckdb.connect(Path(os.environ.get("USAGE_DATA_DIR", "data")) / "usage.duckdb", read_only=True)
    return alt, mo, usage


@app.cell
def _(mo, usage):
    names = usage.sql("select workspace_id from cube group by workspace_id order by sum(credits) desc").fetchall()
    zones = usage.sql("select distinct time_zone from calendar order by time_zone").fetchall()
    mo.stop(not names, mo.md("There are no events yet: put logs into `raw/`, and run `usage run`."))
    workspace = mo.ui.dropdown([name for (name,) in names], value=names[0][0], label="workspace")
    zone = mo.ui.dropdown([name for (name,) in zones], value="UTC", label="time zone", searchable=True)
    mo.hstack([workspace, zone], justify="start")
    return workspace, zone


@app.cell
def _(mo, usage, workspace, zone):
    asked = {"workspace": workspace.value, "zone": zone.value}
    today = usage.sql("select local_today($zone)", params={"zone": zone.value}).fetchall()[0][0]
    mo.md(f"## Usage up to {today}")
    return (asked,)


@app.cell
def _(alt, asked, usage):
    daily = usage.sql("from usage_daily($workspace, $zone, 90)", params=asked).pl()
    days = (
        alt.Chart(daily)
        .mark_bar()
        .encode(x=alt.X("day:T", title="local day"), y=alt.Y("credits:Q"), tooltip=["day", "credits", "runs"])
        .properties(width="container", height=200)
    )
    days
    return daily, days


@app.cell
def _(alt, asked, usage):
    by_language = usage.sql(
        "from usage_by_language($workspace, $zone, local_today($zone) - 89, local_today($zone))", params=asked
    ).pl()
    languages = (
        alt.Chart(by_language.head(15).fill_null("untagged"))
        .mark_bar()
        .encode(x="credits:Q", y=alt.Y("locale:N", sort="-x"), tooltip=["locale", "credits", "share"])
        .properties(width="container")
    )
    languages
    return by_language, languages


@app.cell
def _(alt, asked, usage):
    by_hour = usage.sql(
        """
        select local.day, date_diff('minute', starts, timestamp) // 60 as hour, count(*) as events
        from local_days($zone, 28) as local
        join workspace_events($workspace) on timestamp >= starts and timestamp < ends
        group by local.day, hour
        """,
        params=asked,
    ).pl()
    hours = (
        alt.Chart(by_hour)
        .mark_rect()
        .encode(x=alt.X("hour:O", title="hours into the local day"), y="yearmonthdate(day):O", color="events:Q")
        .properties(width="container")
    )
    hours
    return by_hour, hours


if __name__ == "__main__":
    app.run()
