import time

from talker.evaluation.bench import interleaved_times


def test_work_is_timed_in_turns_after_a_warm_up():
    order = []

    def slow():
        order.append("slow")
        time.sleep(0.1)

    wall, busy = interleaved_times([slow, lambda: order.append("fast")], repeats=3)
    assert order == ["slow", "fast"] * 4
    assert wall[0] >= 0.1 and wall[1] < wall[0]
    # Sleeping is no work. The process may have other threads that work meanwhile.
    assert busy[0] < 0.5 * wall[0]
