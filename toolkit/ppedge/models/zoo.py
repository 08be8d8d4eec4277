"""From a recipe's ``model`` section to a network: one table from each part's section to its builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

from paddle import nn
from paddle.utils import unique_name

from ppedge.errors import PpedgeError
from ppedge.models.backbones.mobilenet_v1_enhance import MobileNetV1Enhance
from ppedge.models.backbones.mobilenet_v3 import MobileNetV3Det, MobileNetV3Rec
from ppedge.models.backbones.pp_lcnet_v3 import PPLCNetV3Det, PPLCNetV3Rec
from ppedge.models.backbones.pp_lcnet_v4 import PPLCNetV4Det, PPLCNetV4Rec
from ppedge.models.backbones.pphgnet import PPHGNetSmall
from ppedge.models.backbones.resnet_vd import ResNetVd
from ppedge.models.backbones.svtr_net import SVTRNet
from ppedge.models.guides.aux_db import AuxDBHead
from ppedge.models.guides.linear import LinearGuide
from ppedge.models.guides.nrtr import NRTRHead
from ppedge.models.guides.sar import SARHead
from ppedge.models.heads.cls import ClsHead
from ppedge.models.heads.ctc import CTCHead
from ppedge.models.heads.db import DBHead
from ppedge.models.heads.multi import MultiHead
from ppedge.models.heads.pf_local import PFHeadLocal
from ppedge.models.necks.db_fpn import DBFPN
from ppedge.models.necks.light_svtr import Columns, LightSVTRNeck
from ppedge.models.necks.lk_pan import LKPAN
from ppedge.models.necks.rep_lk_fpn import RepLKFPN
from ppedge.models.necks.rse_fpn import RSEFPN
from ppedge.models.necks.sequence_encoder import SequenceEncoder
from ppedge.models.necks.svtr import SVTRNeck
from ppedge.models.network import Network
from ppedge.recipe import backbones, guides, heads, necks, networks, parts

Task = Literal["det", "rec", "cls"]
PICTURE_CHANNELS = 3


@dataclass(frozen=True)
class Place:
    """Where a part stands in a network.

    Attributes:
        task: Of the network.
        channels: What the part before it gives: ``out_channels`` of that, a number or one a map.
        classes: Of a recogniser's or classifier's head.
    """

    task: Task
    channels: Any
    classes: int


def _mobilenet_v3(part: backbones.MobileNetV3, place: Place) -> nn.Layer:
    if place.task == "det":
        return MobileNetV3Det(part.model_name, part.scale, part.disable_se)
    return MobileNetV3Rec(part.model_name, part.scale, part.large_stride, part.small_stride)


def _mobilenet_v1_enhance(part: backbones.MobileNetV1Enhance, place: Place) -> nn.Layer:
    return MobileNetV1Enhance(part.scale, part.last_conv_stride, part.last_pool_type, part.last_pool_kernel_size)


def _multi_head(part: heads.MultiHead, place: Place) -> nn.Layer:
    return MultiHead(_sequence_model(part.neck, place.channels), place.classes, part.mid_channels, part.use_guide)


def _sequence_model(
    neck: heads.SVTR | heads.LightSVTR | heads.Reshape, channels: int
) -> SVTRNeck | LightSVTRNeck | Columns:
    if isinstance(neck, heads.SVTR):
        return SVTRNeck(channels, neck.dims, neck.depth, neck.hidden_dims, neck.kernel_size)
    if isinstance(neck, heads.LightSVTR):
        return LightSVTRNeck(channels, neck.dims, neck.depth, neck.mlp_ratio, neck.local_kernel)
    return Columns(channels)


def _nrtr_head(part: guides.NRTRHead, place: Place) -> nn.Layer:
    return NRTRHead(place.channels, place.classes, part.nrtr_dim, part.max_text_length)


def _sar_head(part: guides.SARHead, place: Place) -> nn.Layer:
    return SARHead(place.channels, place.classes, part.enc_dim, part.max_text_length)


def _pp_lcnet_v3(part: backbones.PPLCNetV3, place: Place) -> nn.Layer:
    made = PPLCNetV3Det if place.task == "det" else PPLCNetV3Rec
    return made(part.scale, part.conv_kxk_num, part.folded)


def _pp_lcnet_v4(part: backbones.PPLCNetV4, place: Place) -> nn.Layer:
    made = PPLCNetV4Det if place.task == "det" else PPLCNetV4Rec
    return made(part.model_size, part.folded)


def _rep_lk_fpn(part: necks.RepLKFPN, place: Place) -> nn.Layer:
    return RepLKFPN(place.channels, part.out_channels, part.dilated_kernel_size, part.shortcut, part.folded)


def _svtr_net(part: backbones.SVTRNet, place: Place) -> nn.Layer:
    return SVTRNet(
        part.img_size, part.embed_dim, part.depth, part.num_heads, part.mixer, part.local_mixer, part.out_channels,
        part.out_char_num,
    )  # fmt: skip


BUILDERS: Mapping[type[parts.Part], Callable[[Any, Place], nn.Layer]] = {
    backbones.MobileNetV3: _mobilenet_v3,
    backbones.ResNet_vd: lambda part, place: ResNetVd(part.layers),
    backbones.PPHGNet_small: lambda part, place: PPHGNetSmall(),
    backbones.MobileNetV1Enhance: _mobilenet_v1_enhance,
    backbones.PPLCNetV3: _pp_lcnet_v3,
    backbones.PPLCNetV4: _pp_lcnet_v4,
    backbones.SVTRNet: _svtr_net,
    necks.DBFPN: lambda part, place: DBFPN(place.channels, part.out_channels),
    necks.RSEFPN: lambda part, place: RSEFPN(place.channels, part.out_channels, part.shortcut),
    necks.RepLKFPN: _rep_lk_fpn,
    necks.LKPAN: lambda part, place: LKPAN(place.channels, part.out_channels, part.mode, part.intracl),
    necks.SequenceEncoder: lambda part, place: SequenceEncoder(place.channels, part.hidden_size),
    heads.DBHead: lambda part, place: DBHead(place.channels, part.k, part.kernel_list, part.fix_nan),
    heads.PFHeadLocal: lambda part, place: PFHeadLocal(place.channels, part.k, part.mode),
    heads.CTCHead: lambda part, place: CTCHead(place.channels, place.classes, part.mid_channels),
    heads.MultiHead: _multi_head,
    heads.ClsHead: lambda part, place: ClsHead(place.channels, place.classes),
    guides.LinearGuide: lambda part, place: LinearGuide(place.channels, place.classes),
    guides.AuxDBHead: lambda part, place: AuxDBHead(place.channels, part.k, part.fix_nan),
    guides.NRTRHead: _nrtr_head,
    guides.SARHead: _sar_head,
}


def build(model: networks.Model, task: Task, classes: int = 0, prefix: str = "") -> Network:
    """Build a network with fresh weights.

    Parameters get the same names (``conv2d_0.w_0``, ...) in every call, whatever was built before: an exported file has
    them. Networks that one optimizer trains together must differ in ``prefix``, since it keeps its moments by name. The
    initial weights come from Paddle's random generator: call ``paddle.seed`` first.

    Args:
        model: The recipe's ``model`` section.
        task: ``det``, ``rec`` or ``cls``.
        classes: For ``rec``: characters and CTC's blank, which is class 0; for ``cls``: directions.
        prefix: What the names of parameters start with; nothing for the network that ships.

    Raises:
        PpedgeError: The parts do not fit the task or each other, or a recogniser or classifier has no classes.
    """
    reason = networks.misfit(model, task)
    if reason:
        raise PpedgeError(f"model: {reason}.", "See `ppedge recipe schema`.")
    if task != "det" and classes < 2:
        hint = "Check data.charset." if task == "rec" else ""
        raise PpedgeError(f"A {task} network needs at least 2 classes, not {classes}.", hint)
    with unique_name.guard(prefix):
        backbone = _build(model.backbone, Place(task, PICTURE_CHANNELS, classes))
        neck, channels = None, backbone.out_channels
        if model.neck is not None:
            neck = _build(model.neck, Place(task, channels, classes))
            channels = neck.out_channels
        return Network(backbone, neck, _build(model.head, Place(task, channels, classes)))


def build_guide(guide: networks.Guide, net: Network, task: Task, classes: int, prefix: str) -> nn.Layer:
    """Build a second head, which only helps a network while it trains.

    Args:
        guide: Its section of the recipe.
        net: The network that it guides.
        task: Of the network.
        classes: Of its head.
        prefix: What the names of parameters start with: the network's own count from 0 too.
    """
    with unique_name.guard(prefix):
        return _build(guide, Place(task, reduce(getattr, guide.at.split("."), net).out_channels, classes))


def _build(part: parts.Part, place: Place) -> Any:
    return BUILDERS[type(part)](part, place)
