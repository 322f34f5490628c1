"""What is said of each step to people who do this once a year? Its title, what happens and why, what to look at.

Who signs a step stands in ``keybroker.ceremony.steps`` and is said beside it; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybroker.ceremony.plan import CeremonyKind
from keybroker.ceremony.steps import StepName


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """``happens``: what is done, and why. ``check``: what to look at, and what to do where it is not so."""

    title: str
    happens: str
    check: str


KINDS: Mapping[CeremonyKind, str] = {
    CeremonyKind.GENERATE: "A new key is made in the module and brought into use.",
    CeremonyKind.RENEW: "A new key is made, and takes the place of the old one in a single moment.",
    CeremonyKind.TRANSFER: "A key goes from one system to another. At no moment can both use it.",
    CeremonyKind.SPLIT: "A key becomes shares, one for each custodian. After that no module holds it.",
    CeremonyKind.COMBINE: "Custodians join their shares, the approved messages are signed, and the key is let go.",
    CeremonyKind.RESHARE: "Custodians join their shares, and new shares are given out in their place.",
    CeremonyKind.DESTROY: "Every copy of a key is found and destroyed, so that it can be shown.",
    CeremonyKind.VERIFY_SHARES: "Every custodian proves that his share is whole, without showing it.",
}

SCREENS: Mapping[StepName, Screen] = {
    StepName.GATHER: Screen(
        title="Everybody is here",
        happens="The plan's digest is shown. Everybody compares it with the one on his own paper, and signs that he is"
        " here and that this is the plan which was approved.",
        check="The name and role of everybody in the room, and every word of the digest. If one word differs, type"
        " stop: this is not the plan that was approved.",
    ),
    StepName.CHECK_MODULE: Screen(
        title="This is the module",
        happens="The module tells what it is, and the machine tells its own name and whether its clock can be relied"
        " on, so that the key is used where it should be.",
        check="The serial number on the screen, in the plan and on the module's label: all three are the same. The"
        " time agrees with a watch.",
    ),
    StepName.TICK_CONDITIONS: Screen(
        title="The conditions are met",
        happens="Each condition of the approval is read aloud, and a file that shows that it is met is named. Its"
        " digest goes into the transcript (SEC G2.22I).",
        check="That the file shows what the condition asks for, and is whole. If a condition is not met, type stop.",
    ),
    StepName.MAKE_KEY: Screen(
        title="Make the key",
        happens="The module makes the key. The secret part stays inside it; its public part is shown, to be compared"
        " with every document that names this key from now on.",
        check="Write the first and the last four words of the public key down. Should the power fail, the key that was"
        " made is found again and no second one is made.",
    ),
    StepName.MAKE_REQUEST: Screen(
        title="Make the certificate request",
        happens="The new key signs a request for its certificate. That proves that this module holds the key. The"
        " request is written to a file for the certificate authority.",
        check="Whom the request names, and that the file which goes to the authority is the one named here.",
    ),
    StepName.MAKE_ROOT_CERTIFICATE: Screen(
        title="Make the root certificate",
        happens="A root's certificate is signed by its own key. What is to be signed was prepared for this public key"
        " and reviewed; it is judged once more, then signed.",
        check="The file is the reviewed one: compare its digest with the review. What does not fit is refused, with"
        " the reason; nothing is signed then.",
    ),
    StepName.ENROL_CERTIFICATE: Screen(
        title="Take the certificate in",
        happens="The certificate that came back is read, verified up to an authority that is trusted here, and bound"
        " to the key.",
        check="Compare the certificate's digest with what the authority said by another way. If it has not come yet,"
        " type stop and go on another day.",
    ),
    StepName.ACTIVATE_KEY: Screen(
        title="Bring the key into use",
        happens="From the end of this step the key may be used for its purpose, by those whom the policy names.",
        check="That this is the moment for it: the systems that will rely on the key know its certificate.",
    ),
    StepName.SWITCH_KEYS: Screen(
        title="Switch to the new key",
        happens="In one moment the new key may be used and the old one may not. There is no time in which both or"
        " neither can be used, and no way back to the old key.",
        check="That everybody who relies on the key has the new certificate. If not, type stop before the word.",
    ),
    StepName.OFFER_WRAPPING_KEY: Screen(
        title="The destination offers a wrapping key",
        happens="The destination's module makes a key pair for this one transfer. Its public part goes to the source,"
        " with the signed proof that its secret part is inside the module.",
        check="Custodians see that the module on the table is the one named on the screen, and take the digest of the"
        " public part to the source by another way than the file.",
    ),
    StepName.WITHHOLD_KEY: Screen(
        title="The source stops using the key",
        happens="The source gives up the use of the key for good, and signs that it did. Only with this signed word"
        " does the destination bring the key into use: so never both use it.",
        check="That the destination is ready, and that users know that the key is out of use from now on until the"
        " destination activates it.",
    ),
    StepName.WRAP_KEY: Screen(
        title="Wrap the key for the destination",
        happens="Inside the module the key is encrypted for the destination's module alone. What leaves the module is"
        " of no use to anybody else.",
        check="Compare the digest of the destination's public part with what its custodians brought. If one word"
        " differs, type stop: somebody else offers that key.",
    ),
    StepName.IMPORT_KEY: Screen(
        title="Take the key in, not for use yet",
        happens="The package is opened inside the destination's module, and the key proves that it is the right one."
        " It cannot be used yet.",
        check="The package's digest with the one that the source showed. A package that was changed, used before or"
        " made for another module is refused.",
    ),
    StepName.ACTIVATE_TRANSFERRED: Screen(
        title="The destination begins to use the key",
        happens="The source's signed word that it gave the key up is verified; from then on the key may be used here,"
        " and its certificate is counted as this system's (SEC G2.22H).",
        check="That the source's signed entry is of this very transfer. There is no way back to the source.",
    ),
    StepName.RENOUNCE: Screen(
        title="The destination renounces the keys",
        happens="The wrapping pair and every key that this ceremony brought in are destroyed in the module, and"
        " searched for. Everybody signs that nothing of them is here; with this word the source may abort too.",
        check="That the keys are not in use here, and that no copy of them was made. There is no way back into this"
        " transfer: another needs a plan of its own.",
    ),
    StepName.SETTLE_SOURCE: Screen(
        title="Settle what the source holds",
        happens="The destination proved that it holds the key. What the source still holds is destroyed, or kept out"
        " of use, as the plan and its approval say.",
        check="That every copy of the source is listed: module, its twins, back-ups. What a search cannot prove is"
        " said, and two people sign for it.",
    ),
    StepName.SHARE_KEY: Screen(
        title="Wrap the key and give out shares",
        happens="Inside the module the key is wrapped by a new key, and that one is divided into shares. Each share is"
        " encrypted to one custodian. Copies of the wrapped key are written. Or the module's own quorum takes it.",
        check="That every custodian gets a file with his own name, and nobody two. No share is ever shown on this"
        " screen.",
    ),
    StepName.OPEN_SHARES: Screen(
        title="Every custodian opens his share",
        happens="Each custodian opens his share with his own key and proves that it is whole. A share that cannot be"
        " opened now could not be used when it is needed.",
        check="That each custodian is alone with his share. What he types is not shown.",
    ),
    StepName.TRIAL_QUORUM: Screen(
        title="Try the shares",
        happens="Custodians join shares once, the wrapped key is opened for a moment inside the module, and its public"
        " part is compared with the one in the plan. Or the maker's tool tries the cards.",
        check="That the quorum of the plan is here. If it fails, nothing was destroyed: the share that is wrong is"
        " named.",
    ),
    StepName.READ_BACK_BLOBS: Screen(
        title="Read the copies back",
        happens="Every copy of the wrapped key is read again from where it is kept and compared. Without a copy, the"
        " shares are of no use.",
        check="That the copies are at the sites of the plan, on media that stay there.",
    ),
    StepName.DESTROY_IN_MODULE: Screen(
        title="Destroy the key in the module",
        happens="The key is destroyed in the module. From then on only a quorum of custodians can bring it back (SEC"
        " G2.44B).",
        check="That every share was opened, a quorum was tried and the copies were read back: the steps before this"
        " one. It cannot be undone.",
    ),
    StepName.COMBINE_AND_USE: Screen(
        title="Join the shares and use the key",
        happens="Custodians give their shares or present their cards, one after the other, in any order. The key is"
        " brought back into the module for this use alone, and the approved messages are signed, no others.",
        check="The decision that permits it, and the number of messages. A share that is wrong, of another set or"
        " given twice is named; nothing is lost by it.",
    ),
    StepName.LET_GO: Screen(
        title="Let the key go",
        happens="The key that was brought back is destroyed in the module, or taken away by the maker's tool, and it is"
        " shown that it is gone.",
        check="How often it was used, and for what. Where shares were joined, new ones must follow (reshare).",
    ),
    StepName.RESHARE_KEY: Screen(
        title="Wrap the key anew and give out new shares",
        happens="Custodians join their old shares. The key is wrapped by a new key, and new shares are given out. Or"
        " the maker's tool gives out new cards.",
        check="That every custodian gets a file with his own name. Old shares still count until the old copies are"
        " accounted for.",
    ),
    StepName.RETIRE_OLD_SHARES: Screen(
        title="Retire the old shares",
        happens="Custodians hand their old shares in or destroy them, and every old copy of the wrapped key is"
        " accounted for.",
        check="One old copy that nobody can account for keeps the old shares alive: then the key must be replaced, and"
        " the screen says so.",
    ),
    StepName.PROVE_SHARES: Screen(
        title="Every custodian proves his share",
        happens="Each custodian opens his share with his own key. It is compared with what was given out; nothing of"
        " it is shown or kept. Or the maker's tool reads his card.",
        check="Who cannot prove his share says so now. The screen tells how many shares are left, and whether they"
        " still make a quorum.",
    ),
    StepName.COUNT_COPIES: Screen(
        title="Count every copy",
        happens="Every copy of the key that is known is listed, and searched for where a search can prove that there"
        " is none.",
        check="Does anybody know of another copy: a back-up, a twin of the module, a disk? Say it now.",
    ),
    StepName.DESTROY_COPIES: Screen(
        title="Destroy every copy",
        happens="The copies in modules are destroyed here. Other copies are destroyed by hand, and two people sign for"
        " each.",
        check="That this is the key of the plan. It cannot be undone, and nothing brings the key back.",
    ),
    StepName.CONFIRM_DESTRUCTION: Screen(
        title="Show that it is gone",
        happens="Modules and files are searched once more. What a search cannot prove is said in the transcript.",
        check="That the number of copies destroyed is the number that was counted.",
    ),
    StepName.CLOSE: Screen(
        title="Sign that it is over",
        happens="What came out of the ceremony is listed with its digests, and everybody signs.",
        check="Take the digest of the last entry with you: with it, and with openssl, everybody can verify the"
        " transcript alone.",
    ),
}
