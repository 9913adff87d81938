"""How the figures of a report were made, as paragraphs: only what its models were trained with."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from biasaudit.report.format import clean
from biasaudit.report.view import AuditView, Column

PAPER = Markup(
    "<p>Guided attention after Li et al., CVPR 2018 (arXiv 1802.10171). Attention of class "
    "<i>c</i> is Grad-CAM on the feature maps <i>f<sub>k</sub></i>:</p>"
    '<p class="eq"><i>A<sup>c</sup></i> = ReLU( Σ<sub>k</sub> <i>w<sub>k</sub> f<sub>k</sub></i> ),'
    " <i>w<sub>k</sub></i> = mean of ∂<i>s<sup>c</sup></i>/∂<i>f<sub>k</sub></i></p>"
    "<p><b>baseline</b> minimises the classification loss <i>L</i><sub>cl</sub> alone. <b>gain</b> "
    "erases what the attention marks, <i>I</i>* = <i>I</i> − <i>T</i>(<i>A<sup>c</sup></i>) ⊙ "
    "<i>I</i>, and asks that the class can no longer be found there. <b>gain_ext</b> also matches "
    "the attention to the labelled regions <i>H<sup>c</sup></i>.</p>"
    '<p class="eq"><i>L</i><sub>self</sub> = <i>L</i><sub>cl</sub> + α <i>L</i><sub>am</sub>, '
    "<i>L</i><sub>am</sub> = mean of <i>s<sup>c</sup></i>(<i>I</i>*)<br><i>L</i><sub>ext</sub> = "
    "<i>L</i><sub>self</sub> + ω <i>L</i><sub>e</sub>, <i>L</i><sub>e</sub> = mean of "
    "(<i>A<sup>c</sup></i> − <i>H<sup>c</sup></i>)²</p>"
)
REPAIR = (
    "<p><b>+repair</b> replaces one row of the last layer of a trained network, the one that "
    "scores {}. Ridge logistic regression fits it on the features <i>x<sub>i</sub></i> of the "
    "training images and of edits of the labelled ones: the object pasted on another image (yes), "
    "taken out of its own (no). Dose and strength are chosen by cross-validation, with val as the "
    "guard; no image of the groups is used. The scores of all other classes stay as they were.</p>"
    '<p class="eq">min ½‖<i>w</i>‖² + <i>C</i> Σ<sub>i</sub> <i>a<sub>i</sub></i> log(1 + '
    "exp(−<i>y<sub>i</sub></i>(<i>w</i> · <i>x<sub>i</sub></i> + <i>b</i>))), <i>y<sub>i</sub></i> "
    "= ±1</p>"
)
COMPARISON = Markup(
    "<p>Both runs answered the same images. A group's accuracy is compared by McNemar's exact test "
    "with Newcombe's interval for paired shares, the mean of the groups by combining those; AUROC, "
    "the worst group and the attention by a paired bootstrap. Each interval holds for itself; the "
    "p-values are adjusted by Holm over the figures of a split.</p>"
)
PLAIN = ("baseline", "external")


def method(audit: AuditView) -> Markup:
    """Return the method of an audit's models and figures, as paragraphs of HTML."""
    given = [column.run.mode for column in audit.columns]
    modes = list(dict.fromkeys(mode.replace("+repair", "") for mode in given))
    told = PAPER if any(mode not in PLAIN for mode in modes) else Markup()
    if others := [mode for mode in modes if mode not in (*PLAIN, "gain", "gain_ext")]:
        names = Markup(", ").join(Markup("<b><bdi>{}</bdi></b>").format(clean(m)) for m in others)
        verb = "combines" if len(others) == 1 else "combine"
        told += Markup(
            "<p>{} {} the classification loss with other terms; <code>biasaudit list modes</code> "
            "describes them.</p>"
        ).format(names, verb)
    if any("+repair" in mode for mode in given):
        told += Markup(REPAIR).format(audit.object)
    mean = "Overall is the mean of the conflicting groups' accuracies. " if audit.groups else ""
    return told + Markup("<p>Accuracy counts a score above 0 as “yes”. {}</p>").format(mean)


def pairs_told(total: int, worse: int, compared: bool, runs: int, lead: str) -> Markup:
    """Return what became of other object-context pairs, as a sentence.

    Args:
        total: Pairs that were audited.
        worse: Pairs in which some run is shown to be worse.
        compared: Whether any run was held against the lead run.
        runs: How many runs there are.
        lead: The lead run.
    """
    name = Markup("<bdi>{}</bdi>").format(lead)
    if runs == 1:
        told = escape("One run alone cannot tell; the figures show where to look.")
    elif worse:
        told = Markup("Of {} other pairs, {} got worse in some run than in {}.").format(
            total, worse, name
        )
    elif compared:
        told = Markup(
            "The test over all {} pairs against {} singles none out; over so many that overlap it "
            "finds large falls alone, and says nothing against smaller ones."
        ).format(total, name)
    else:
        told = Markup("No other run answered the same images as {}, so none is compared.").format(
            name
        )
    return Markup("<p>Guidance for one pair may move another. {}</p>").format(told)


def differences(columns: Sequence[Column], object: str) -> list[str]:
    """Return what a comparison of two runs cannot tell."""
    return [
        "No difference shown is not “no difference”: there may be one that these images are too "
        "few to show.",
        "The runs are two trainings. Another seed of the same settings may answer otherwise; "
        "biasaudit compare on several seeds holds that chance too."
        if not any("external" in column.run.settings for column in columns)
        else "The comparison holds for these weights.",
        f"Attention can move onto {object} while the decision still reads the context: read both "
        "figures together.",
    ]
