"""Style sheet of the report page for wide screens, phones, paper and dark mode."""

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1f2933; --muted: #52606d; --grid: #dde3e8; --paper: #fdfefe; --panel: #f3f6f8;
  --best: #0072b2; --other: #7b8794; --hit: #d8f0e6;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ink: #e6ebf0; --muted: #a9b4bf; --grid: #333c46; --paper: #14181d; --panel: #1c2229;
    --best: #56b4e9; --other: #8a97a4; --hit: #12493a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 60rem; padding: 2rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif;
  overflow-wrap: anywhere;
}
h1 { font-size: 1.1rem; font-weight: 600; color: var(--muted); margin: 0; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; }
p { margin: .5rem 0; max-width: 44rem; }
.headline { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .75rem; margin: .25rem 0 0; }
.headline b { font-size: 3.5rem; line-height: 1.1; letter-spacing: -.02em; }
.headline span { font-size: 1.25rem; color: var(--muted); }
.advice { border-left: .3rem solid var(--best); background: var(--panel); }
.advice { padding: .75rem 1rem; margin: 1.25rem 0; }
.quiet { color: var(--muted); font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; }
th, td { border-bottom: 1px solid var(--grid); overflow-wrap: break-word; }
th { color: var(--muted); font-weight: 600; white-space: nowrap; }
td.name { min-width: 11rem; }
.number { text-align: right; white-space: nowrap; }
td small { color: var(--muted); }
.number small { white-space: nowrap; }
tr.best td { background: var(--panel); }
.badge { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .5rem; }
.badge { font-size: .8rem; white-space: nowrap; }
.badge.best { color: var(--best); }
figure { margin: 1.5rem 0; max-width: 42rem; overflow-x: auto; }
figure svg { display: block; width: 100%; min-width: 27rem; height: auto; }
dl { display: grid; grid-template-columns: minmax(7rem, 14rem) 1fr; gap: .35rem 1rem; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; }
details, .skipped { border-top: 1px solid var(--grid); padding: .5rem 0; margin: 0; max-width: none; }
summary { cursor: pointer; }
summary span, .skipped span { color: var(--muted); font-size: .9rem; }
details details { border: 0; padding: .1rem 0; }
details details summary { color: var(--muted); font-size: .9rem; }
.text { white-space: pre-wrap; background: var(--panel); padding: .5rem .75rem; font-size: .9rem; }
mark { background: var(--hit); color: inherit; }
.verdict { white-space: nowrap; }
.verdict::before { content: ""; display: inline-block; width: .7em; height: .7em; }
.verdict::before { margin-right: .4em; background: var(--shade); }
.live { --shade: #009e73; } .redundant { --shade: #56b4e9; } .dead { --shade: #c3cbd3; }
.harmful { --shade: #d55e00; } .unmeasured { --shade: #f0e9c8; }
@media (max-width: 36rem) {
  .headline b { font-size: 2.75rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  .wide, figure { overflow: visible; }
  figure { max-width: 30rem; }
  table { font-size: 8pt; }
  h2 { break-after: avoid; }
  figure, tr, .advice { break-inside: avoid; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
}
"""
