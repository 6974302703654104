"""The codes of money in use, after ISO 4217 (the list of 2026-01-01, without funds, metals and tests)."""

import difflib

__all__ = ["currency"]

_CODES = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP
    CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR
    IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG
    SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST
    XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - a list of 150 literals reads worse
)


def currency(text: str) -> str:
    """The code, in capitals. Raises ValueError for none, with the nearest one."""
    code = text.strip().upper()
    if code in _CODES:
        return code
    swapped = [each for each in sorted(_CODES) if sorted(each) == sorted(code)]
    near = swapped or difflib.get_close_matches(code, sorted(_CODES), n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]}?" if near else ", such as GBP, EUR or USD."
    raise ValueError(f"{text!r} is no currency's three letters{hint}" if text else "It is needed, such as GBP.")
