"""The lint of the app's resources, screens and manifest: it finds nothing, and each fault that is planted."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from junit import ANDROID

sys.path.insert(0, str(ANDROID))

from tools.lint import RULES, lint
from tools.resources import Resources, contrast, over

MAIN = ANDROID / "app/src/main"
STRINGS, CHINESE = "res/values/strings.xml", "res/values-zh/strings.xml"
COLOURS, NIGHT = "res/values/colors.xml", "res/values-night/colors.xml"
STYLES, PAGE, SETTINGS = "res/values/styles.xml", "res/layout/page.xml", "res/layout/settings.xml"
LINES, PORTRAIT, TURNED = "res/layout/main_lines.xml", "res/layout/main.xml", "res/layout-land/main.xml"
MANIFEST = "AndroidManifest.xml"
SCREEN = "java/dev/ppedge/demo/Screen.java"
DARK, SINCE_27 = "res/values-night/themes.xml", "res/values-v27/themes.xml"
STOP = '<string name="stop">Stop</string>'
DUMP = 'android:permission="android.permission.DUMP"'
FAULTS = [
    (CHINESE, '<string name="stop">停止</string>', "", "languages: string stop: not in Chinese"),
    (STRINGS, STOP, "", "languages: string stop: not in English"),
    (CHINESE, ">停止<", "> <", "languages: string stop: empty"),
    (CHINESE, ">停止<", ">Stop<", "languages: string stop: as in English"),
    (CHINESE, "可信度 %1$s", "可信度", "languages: string score_of_line: other placeholders"),
    (CHINESE, "<item>大核</item>", "", "languages: string-array power_modes: 6 items in English, 5 in Chinese"),
    (STRINGS, '<item quantity="one">%1$d line in %2$d ms</item>', "", "languages: plurals lines_in_ms: English has"),
    (CHINESE, 'quantity="other">%1$d 行', 'quantity="one">%1$d 行', "languages: plurals lines_in_ms: Chinese has"),
    (CHINESE, "</resources>", '<string name="p50">p50</string></resources>', "languages: string p50: not translatable"),
    (STRINGS, STOP, STOP + '<string name="left" translatable="false">x</string>', "used: string left: not used"),
    (COLOURS, "</resources>", '<color name="left">#000000</color></resources>', "used: color left: not used"),
    (STYLES, "</resources>", '<style name="Left" /></resources>', "used: style Left: not used"),
    (PAGE, "<ScrollView", '<ScrollView android:id="@+id/left"', "used: id left: not used"),
    (PAGE, '"@string/working"', '"Working"', "layouts: .*page.xml: ProgressBar progress: contentDescription = Working"),
    (PAGE, '"@color/background"', '"#FFFFFF"', "layouts: .*background = #FFFFFF: colours belong"),
    (PAGE, "layout_marginEnd", "layout_marginRight", "layouts: .*layout_marginRight = .*right to left"),
    (TURNED, 'android:id="@+id/take"', "", "layouts: layout-land/main.xml: has not the ids of .*: take"),
    (LINES, 'android:contentDescription="@string/copy_all"', "", "descriptions: .*ImageButton copy: no contentDesc"),
    (PORTRAIT, 'android:contentDescription="@string/picture"', "", "descriptions: .*PictureView picture: no content"),
    (SETTINGS, 'android:labelFor="@+id/thresh"', "", "descriptions: .*SeekBar thresh: no text is its label"),
    (STYLES, '<item name="android:minHeight">@dimen/touch</item>', "", "touch_sizes: .*Button run: 0 dp high"),
    (STYLES, '<item name="android:layout_width">@dimen/touch', '<item name="android:layout_width">@dimen/gap_huge',
     "touch_sizes: .*ImageButton copy: 32 dp wide, less than 48"),
    ("res/layout/row_line.xml", '"@dimen/touch"', '"@dimen/gap_huge"', "touch_sizes: .*LinearLayout: 32 dp high"),
    ("res/layout/bar.xml", '"wrap_content"', '"@dimen/row"', "large_text: .*Toolbar bar: its height is fixed"),
    (PAGE, "<Button", '<Button android:maxLines="1"', "large_text: .*Button share: its lines are counted"),
    (PAGE, 'android:orientation="vertical">', 'android:padding="1dp">', "edge_to_edge: .*with padding of its own"),
    (SETTINGS, 'android:fitsSystemWindows="true"', "", "edge_to_edge: layout/settings.xml: a screen that does not"),
    (TURNED, 'android:background="@color/background"', "", "edge_to_edge: layout-land/main.xml: a screen without"),
    (PAGE, "<ScrollView", '<ScrollView android:fitsSystemWindows="true"', "edge_to_edge: .*fitsSystemWindows twice"),
    (MANIFEST, DUMP, "", "components: AndroidManifest.xml: BenchmarkActivity: any app may start it"),
    (MANIFEST, ".SettingsActivity", ".Settings", "components: AndroidManifest.xml: SettingsActivity: not in it"),
    (MANIFEST, ".SettingsActivity", ".Other", "components: AndroidManifest.xml: Other: no such class"),
    (MANIFEST, '"@string/bundle"', '"Models"', "components: AndroidManifest.xml: activity: its label belongs"),
    (MANIFEST, "demo.files", "demo.other", "components: .*provider's dev.ppedge.demo.other is not the classes'"),
    (MANIFEST, "<application", '<uses-permission android:name="x" /><application', "components: .*for no permission"),
    (SCREEN, "final void say", "void onBackPressed() {} final void say", "back: Screen.java: takes the way back"),
    (NIGHT, "#A3B0B0", "#606868", r"contrast: .*contrast [\d.]+ in the night, less than 4.5"),
    (COLOURS, 'text_secondary">#566162', 'text_secondary">#7A8586', "contrast: .*in the day, less than 4.5"),
    (NIGHT, 'on_accent">#00373A', 'on_accent">#FFFFFF', "contrast: .*Button choose: contrast 1.7 in the night"),
    (NIGHT, 'failure">#F2B8B5', 'failure">#B3261E', "contrast: .*java: failure: contrast .* in the night"),
    (NIGHT, '"selected">#33', '"selected">#CC', "contrast: layout/row_line.xml: TextView"),
    (COLOURS, "#CC101414", "#33101414", "contrast: text over pictures: contrast"),
    (COLOURS, "#FF00B8C0", "#FF203030", "contrast: a box over pictures: contrast"),
    (SINCE_27, '<item name="android:colorBackgroundFloating">@color/surface</item>', "",
     "contrast: the theme of values-v27: does not set colorBackgroundFloating"),
    (DARK, ">false<", ">true<", "contrast: the theme of values-night: windowLightStatusBar is true"),
]  # fmt: skip


@pytest.fixture
def main(tmp_path):
    """The app's sources, to be changed."""
    shutil.copytree(MAIN, tmp_path / "main", ignore=shutil.ignore_patterns("assets", "jniLibs"))
    return tmp_path / "main"


def test_nothing_is_found():
    command = [sys.executable, "-m", "tools.lint"]
    done = subprocess.run(command, cwd=ANDROID, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize(("file", "old", "new", "finds"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_found(main, file, old, new, finds):
    text = (main / file).read_text("utf-8")
    assert old in text
    (main / file).write_text(text.replace(old, new), "utf-8")
    found = lint(main)
    assert any(re.match(finds, sentence) for sentence in found), found


def test_every_rule_has_a_fault():
    assert {finds.partition(":")[0] for *_, finds in FAULTS} == {rule.__name__ for rule in RULES}


def test_contrast_is_wcags():
    white, grey, black = (255, 255, 255, 255), (118, 118, 118, 255), (0, 0, 0, 255)
    assert contrast(white, black) == pytest.approx(21)
    assert contrast(grey, white) == pytest.approx(4.54, abs=0.005)  # known as the lightest grey that passes on white
    assert over((255, 255, 255, 51), black) == (51, 51, 51, 255)


def test_what_is_looked_up():
    resources = Resources(MAIN / "res")
    assert resources.colour("@color/button_text", "night") == resources.colour("@color/accent", "night")
    assert resources.colour("@color/accent", "") == (0x00, 0x69, 0x6E, 255)
    assert resources.size("@dimen/touch") == 48
    assert resources.style("Text.Small")["textColor"] == "@color/text_secondary"
