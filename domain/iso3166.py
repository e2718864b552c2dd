"""States by code: ISO 3166-1 for countries, ISO 3166-2 for States of a federation (`US-NY`).

Countries are listed whole. Of the subdivisions those of the United States are, as the Compact is made between them;
elsewhere the form of the code under a listed country is all that is judged.
"""

from __future__ import annotations

import re

_ALPHA_2 = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO
    JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR
    MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO
    RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV
    TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(_ALPHA_2.split())
"""Every officially assigned alpha-2 code."""

_OF_THE_UNION = """
    AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA
    RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR UM VI
"""
STATES_OF_THE_UNION = frozenset(f"US-{code}" for code in _OF_THE_UNION.split())
"""The States of the United States, its federal district and its territories."""

_SUBDIVISION = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}", re.ASCII)


def is_recognised(state: str) -> bool:
    """Whether `state` is a code under which a State may enter the register."""
    if state in COUNTRIES or state in STATES_OF_THE_UNION:
        return True
    match = _SUBDIVISION.fullmatch(state)
    return match is not None and match[1] != "US" and match[1] in COUNTRIES
