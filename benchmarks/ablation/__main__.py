"""All of them, the calibration that ships first: `python -m benchmarks.ablation`."""

from benchmarks.ablation import calibration, configurations, controls, hops, modes, placebos, speed

if __name__ == "__main__":
    for benchmark in (calibration, modes, placebos, speed, controls, hops, configurations):
        benchmark.main()
