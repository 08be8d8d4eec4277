import numpy as np
import paddle
import pytest

from ppedge.models.flops import count_flops
from ppedge.models.network import copy_of
from ppedge.models.weights import load_weights, state_of
from ppedge.recipe.losses import NET
from ppedge.recipe.slim import ArmPrune
from ppedge.slim.arm.collapse import patches
from ppedge.slim.arm.distill import Distillation, divergence_of_maps, relative_error
from ppedge.slim.arm.reduce import kept_groups, reduce_sites
from ppedge.slim.arm.sites import find_sites
from ppedge.slim.arm.slimming import ArmSlimming
from ppedge.slim.arm.understood import backbone_maps
from ppedge.slim.plan import Plan, apply_plan
from ppedge.slim.watch import watch
from ppedge.train.trainees.base import Trainee

SHAPE = {"det": (2, 3, 96, 96), "rec": (2, 3, 32, 128), "cls": (2, 3, 48, 96)}


def pictures(example, count=3):
    rng = np.random.default_rng(5)
    shape = SHAPE[example.recipe.task]
    return [paddle.to_tensor(rng.standard_normal(shape, dtype=np.float32)) for _ in range(count)]


def redundant(example, seed=0):
    """A network in which half of the inner channels of each block are copies of the other half."""
    net = example.build(seed)
    for name, value in net.state_dict().items():
        array = value.numpy()
        if "expand_conv" in name or "bottleneck_conv" in name:
            half = len(array) // 2
            array[half : 2 * half] = array[:half]
            value.set_value(array)
    return net


def blocks(example):
    """The sites within blocks."""
    found = find_sites(example.build(), example.traced, pictures(example, 1)[0]).found
    return [site for site in found if "expand_conv" in site.name]


def output(net, x):
    with paddle.no_grad():
        return net(x).numpy()


def test_channels_that_are_copies_go_and_nothing_is_lost(example):
    teacher = redundant(example)
    student = copy_of(teacher, example.task.build)
    inputs = pictures(example)
    reports = reduce_sites(student, teacher, blocks(example), inputs, 1e-3, multiple=4)
    units = [name for name, unit in student.units() if hasattr(unit, "expand_conv")]
    assert [r.site.name for r in reports] == [f"{name}.expand_conv.conv" for name in units]
    if example.recipe.task == "det":  # a recogniser's squeeze-and-excitation tells copies apart
        assert all(r.error < 1e-3 for r in reports), [r.error for r in reports]
        assert all(len(r.kept) <= (r.site.channels + 1) // 2 + 4 for r in reports)
    x = inputs[0]
    silenced = output(student, x)
    shapes = {name: value.shape for name, value in state_of(student).items()}
    apply_plan(student, Plan.from_groups("test", kept_groups(reports), shapes))
    np.testing.assert_allclose(output(student, x), silenced, atol=1e-4)
    before, after = (sum(count_flops(net, SHAPE[example.recipe.task]).values()) for net in (teacher, student))
    assert after < 0.9 * before


def test_excluded_blocks_keep_their_channels(example):
    teacher = redundant(example)
    student = copy_of(teacher, example.task.build)
    names = [name for name, _ in student.units()]
    reports = reduce_sites(student, teacher, blocks(example), pictures(example), 0.5, multiple=4, exclude=names[2:4])
    assert not any(r.site.name.startswith(tuple(names[2:4])) for r in reports)
    assert any(r.cut for r in reports)


def test_a_block_that_stays_whole_mends_what_others_lost(examples):
    example = examples["det"]
    teacher, inputs = example.build(), pictures(example)
    names = [name for name, _ in teacher.units()]
    sites = blocks(example)[:2]
    counts = {site.name: site.channels for site in sites} | {sites[0].name: 4}
    mended, left = (copy_of(teacher, example.task.build) for _ in range(2))
    reports = reduce_sites(mended, teacher, sites, inputs, 0.9, counts=counts, multiple=4)
    reduce_sites(left, teacher, sites[:1], inputs, 0.9, counts=counts, multiple=4)
    assert [r.cut for r in reports] == [True, False]
    before, state = state_of(teacher), state_of(left)
    assert all(np.array_equal(v, before[n]) for n, v in state.items() if not n.startswith(names[1]))

    def second(net, x):
        for _, unit in list(net.units())[:3]:
            x = unit(x)
        return x

    errors = [float(relative_error(second(net, inputs[0]), second(teacher, inputs[0]))) for net in (mended, left)]
    assert errors[0] < 0.98 * errors[1]


def test_least_squares_beat_plain_cutting(examples):
    example = examples["det"]
    teacher = example.build()
    student, cut = (copy_of(teacher, example.task.build) for _ in range(2))
    inputs = pictures(example)
    reports = reduce_sites(student, teacher, blocks(example), inputs, 0.2, multiple=4)
    kept = kept_groups(reports)
    assert kept
    shapes = {name: value.shape for name, value in state_of(student).items()}
    apply_plan(cut, Plan.from_groups("test", kept, shapes))
    x = inputs[0]
    wanted = teacher.neck(teacher.backbone(x))
    errors = [float(relative_error(net.neck(net.backbone(x)), wanted)) for net in (student, cut)]
    assert errors[0] < 0.5 * errors[1]


@pytest.fixture(scope="module")
def slimmed(examples):
    example = examples["det"]
    teacher = redundant(example)
    student = copy_of(teacher, example.task.build)
    settings = ArmPrune(tolerance=0.02, neck_width=8, head_width=16)
    slimming = ArmSlimming(
        teacher, student, example.traced, pictures(example), settings, SHAPE["det"], example.task.build, multiple=4
    )
    return slimming, slimming.run()


def test_a_whole_detector_is_slimmed_and_rebuilt_from_its_plan(examples, slimmed, tmp_path):
    example, (slimming, plan) = examples["det"], slimmed
    plan.save(tmp_path / "plan.json")
    rebuilt = example.build(9)
    apply_plan(rebuilt, Plan.load(tmp_path / "plan.json"))
    load_weights(rebuilt, state_of(slimming.student), "here")
    rebuilt.eval()
    x = example.picture()
    np.testing.assert_allclose(output(rebuilt, x), output(slimming.student, x), atol=1e-5)
    assert plan.made and all(name in state_of(rebuilt) for name in plan.made)


def test_each_step_says_what_it_costs_and_saves(slimmed):
    steps = slimmed[0].steps
    assert [s["step"].partition(" ")[0] for s in steps] == [
        "as",
        "channels",
        "fold_bias",
        "shuffle_head",
        "linear",
        "head",
    ]
    macs = [s["macs"] for s in steps]
    assert macs[0] > macs[1] and macs[4] < macs[3] and macs[5] < macs[4]
    assert steps[2]["difference"] < 1e-5 and steps[3]["difference"] < 1e-5
    assert 0 < steps[4]["map_error"] < 1 and 0 < steps[5]["error"] < 1
    cut = [site for site in steps[1]["sites"] if site["kept"] < site["channels"]]
    assert cut and all(site["macs"] < site["macs_before"] < macs[0] for site in cut)


def test_a_slimmed_detector_is_near_its_teacher_and_distillation_brings_it_nearer(slimmed, examples):
    slimming, _ = slimmed
    teacher, student, x = slimming.teacher, slimming.student, slimming.pictures[0]
    wanted = output(teacher, x)
    near = np.abs(output(student, x) - wanted).mean()
    assert near < 0.5 * np.abs(wanted - wanted.mean()).mean()
    trainee = Trainee(student, Distillation(teacher, "det", maps=backbone_maps(teacher)))
    trainee.begin()
    optimizer = paddle.optimizer.Adam(1e-3, parameters=student.parameters())
    losses = []
    student.eval()  # BatchNorm as it is; the head's form in training is asked for by itself
    for _ in range(8):
        student.head.training = True
        parts = trainee.losses(trainee({"image": x}), {"image": x}, 0.0)
        losses.append(float(parts["loss"]))
        terms = ("loss_map", "loss_features", "loss_backbone")
        assert losses[-1] == pytest.approx(sum(float(parts[name]) for name in terms), rel=1e-5)
        parts["loss"].backward()
        optimizer.step()
        optimizer.clear_grad()
    trainee.end()
    student.head.training = False
    assert losses[-1] < losses[0]
    assert np.isfinite(losses).all()


def test_the_backbones_maps_are_taught_where_the_student_has_all_their_channels(slimmed):
    """The last layer of the backbone is gone with the neck: of the fourth map it is what that layer was given."""
    slimming, _ = slimmed
    teacher, student, x = slimming.teacher, slimming.student, slimming.pictures[0]
    before = state_of(student)
    for parameter in student.backbone.parameters():  # so that each of the maps differs
        parameter.set_value(parameter * 1.05)
    places = backbone_maps(teacher)
    assert places == ["neck:input", "backbone.stage3.3:input"]
    trainee = Trainee(student, Distillation(teacher, "det", maps=places))
    trainee.begin()
    student.head.training = True
    found = float(trainee.losses(trainee({"image": x}), {"image": x}, 0.0)["loss_backbone"])
    trainee.end()
    student.head.training = False
    own, wanted = (watch(net, places, x) for net in (student, teacher))
    pairs = [*zip(own["neck:input"][:3], wanted["neck:input"][:3], strict=True), (own[places[1]], wanted[places[1]])]
    errors = [float(relative_error(a, b)) for a, b in pairs]
    assert found == pytest.approx(np.mean(errors), rel=1e-4) and min(errors) > 1e-4
    assert own["neck:input"][3].shape != wanted["neck:input"][3].shape
    load_weights(student, before, "the student as it was")


def drawn_maps(seed, count=4):
    """Maps that are nearly sure of their pixels, as a detector's are."""
    rng = np.random.default_rng(seed)
    logits = 8.0 * np.sign(rng.normal(-0.5, 1, (count, 1, 16, 16))) + rng.normal(0, 0.5, (count, 1, 16, 16))
    return paddle.nn.functional.sigmoid(paddle.to_tensor(logits.astype(np.float32)))


def test_maps_are_no_way_off_what_they_are_and_a_little_off_in_proportion():
    wanted = drawn_maps(0)
    assert float(divergence_of_maps(wanted, wanted)) == pytest.approx(0, abs=1e-7)
    logits = paddle.log(wanted / (1 - wanted))
    near = [paddle.nn.functional.sigmoid(logits + shift) for shift in (0.02, 0.04)]
    once, twice = (float(divergence_of_maps(p.astype("float64"), wanted.astype("float64"))) for p in near)
    assert twice == pytest.approx(4 * once, rel=0.05) and once > 0  # as the cross entropy is near its least


def test_one_picture_that_is_lost_moves_a_student_no_farther_than_the_others():
    wanted = drawn_maps(0)
    logits = paddle.log(wanted / (1 - wanted)) + 0.5
    logits[0] = -logits[0]  # of this one it gives the opposite

    def pull(loss):
        given = logits.clone()
        given.stop_gradient = False
        loss(paddle.nn.functional.sigmoid(given), wanted).backward()
        sizes = np.abs(given.grad.numpy()).sum(axis=(1, 2, 3))
        return sizes[0] / sizes[1:].mean()

    assert pull(paddle.nn.functional.binary_cross_entropy) > 100
    assert pull(divergence_of_maps) < 3


def test_a_robust_distillation_compares_maps_by_their_divergence(examples):
    example = examples["det"]
    teacher, student, x = example.build(0), example.build(1), example.picture()
    teacher.eval()
    for robust, off in ((False, paddle.nn.functional.binary_cross_entropy), (True, divergence_of_maps)):
        trainee = Trainee(student, Distillation(teacher, "det", robust=robust))
        trainee.begin()
        student.head.training = True
        outputs = trainee({"image": x})
        found = float(trainee.losses(outputs, {"image": x}, 0.0)["loss_map"])
        trainee.end()
        assert found == pytest.approx(5 * float(off(outputs[NET]["maps"][:, :1], teacher(x))), rel=1e-4)


@pytest.mark.parametrize("task", ["rec", "cls"])
def test_distillation_of_class_scores_is_least_at_the_teacher(examples, task):
    example = examples[task]
    teacher, other, copy = example.build(0), example.build(1), example.build(0)
    x = example.picture()
    found = []
    for student in (other, copy):
        student.head.training = True
        found.append(float(Distillation(teacher, task)({NET: student(x)}, {"image": x})["loss"]))
    assert found[1] == pytest.approx(0, abs=1e-5) and found[0] > 1e-3


def test_labels_add_the_tasks_own_loss(slimmed, examples):
    slimming, example = slimmed[0], examples["det"]
    teacher, student, x = slimming.teacher, slimming.student, slimming.pictures[0]
    targets = {f"{kind}_{part}": paddle.ones([x.shape[0], *x.shape[2:]])
               for kind in ("shrink", "threshold") for part in ("map", "mask")}  # fmt: skip
    loss = Distillation(teacher, "det", labels=0.5, task_loss=example.task.loss)
    trainee = Trainee(student, loss)
    trainee.begin()
    student.head.training = True
    batch = {"image": x, **targets}
    outputs = trainee(batch)
    parts, without = loss(outputs, batch), Distillation(teacher, "det")(outputs, batch)
    trainee.end()
    student.head.training = False
    assert float(parts["loss_labels"]) > 0.1 and "loss_labels" not in without
    assert float(parts["loss"]) == pytest.approx(float(without["loss"]) + 0.5 * float(parts["loss_labels"]), rel=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 8])
def test_patches_are_what_a_convolution_of_the_map_before_upsampling_reads(factor):
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (2, 3, 4, 5)).astype(np.float32)
    weight = rng.normal(0, 1, (6, 3, 3, 3)).astype(np.float32)
    made = paddle.nn.functional.conv2d(paddle.to_tensor(x), paddle.to_tensor(weight), padding=1)
    big = paddle.nn.functional.interpolate(made, scale_factor=factor, mode="nearest").numpy()
    places = np.sort(rng.choice(big.shape[2] * big.shape[3], 9, replace=False))
    expected = big.reshape(2, 6, -1)[:, :, places].transpose(0, 2, 1).reshape(-1, 6)
    np.testing.assert_allclose(patches(x, big.shape[3], places) @ weight.reshape(6, -1).T, expected, atol=1e-4)
