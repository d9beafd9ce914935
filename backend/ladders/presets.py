"""Plans to start from, as the text people then edit."""

QUICKSTART = """\
# Two policies on numbers; minutes on two CPU cores.
name: Quickstart ladder
stages:
  - name: Validation
    preset: quickstart
    config: {total_steps: 4000, evaluation_interval: 2000, checkpoint_interval: 2000}
    gates:
      - at: 4000
        extend_to: 6000
        checks:
          # sigma* above the returns of exploration; short of it, 2,000 steps more
          - {measure: return_over_reference, name: "return above the reference, sigma*", low: 0, otherwise: extend}
  - name: DDPG baseline
    preset: quickstart
    config: {algorithm: ddpg, total_steps: 4000, evaluation_interval: 0}
    gates: none
    verdict: ignored          # a baseline may be as bad as it is
  - name: The whole route
    start: continue           # the run goes on from its last checkpoint
    continues: Validation
    config: {total_steps: 11000}
    against: DDPG baseline
    gates:
      - at: 4000              # both runs at the step where the baseline ended
        checks:
          - {measure: return_against_other, name: "return against DDPG, %", low: 10}
      - at: 11000
        checks:
          - {measure: success_percent, name: "success, %", low: 80}
"""

FOUNDING = """\
# The validation ladder of the founding plan: days on one GPU.
name: Founding ladder
stages:
  - name: 10K validation
    preset: paper
    config: {total_steps: 10000}
    # `gates: rules` (the default) are those of the run's rules, relative to its own returns.
    # `gates: founding` are the founding plan's absolute numbers.
  - name: DDPG baseline
    preset: paper
    config: {algorithm: ddpg, total_steps: 100000}
    gates: none
    verdict: ignored
  - name: 100K
    start: continue
    continues: 10K validation
    config: {total_steps: 100000}
    against: DDPG baseline
    gates:
      - at: 50000
        checks:
          - {measure: q_drift, name: "drift of Q, %", low: -10, high: 10}
      - at: 100000
        checks:
          - {measure: return_gain, name: "return gain over half way, %", halt_below: -10}
          - {measure: return_against_other, name: "return against DDPG, %", low: 10}
          - {measure: q_variance_against_other, name: "variance of Q against DDPG, %", high: -20}
  - name: 1M
    start: continue
    continues: 100K
    config: {total_steps: 1000000}
    gates:
      - at: 500000
        checks:
          - {measure: return_over_reference, name: "return above the reference, sigma*", low: 1, otherwise: halt}
      - at: 1000000
        checks:
          - {measure: success_percent, name: "success, %", low: 80}
          - {measure: q_over_return, name: "Q over the discounted return", low: 0.5, high: 2}
          - {measure: td_over_spread, name: "TD error over the spread of the target", high: 1}
"""

PLANS = {"quickstart": QUICKSTART, "founding": FOUNDING}
