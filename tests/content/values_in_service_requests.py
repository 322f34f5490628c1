"""Service Requests with data values that thresholds are set on, put together."""

from __future__ import annotations

from tests.duis import a_request

LIMIT_BODY = (
    "<sr:UpdateDeviceConfigurationLoadLimitingGeneralSettings>{before}<sr:LoadLimitPeriod>{period}</sr:LoadLimitPeriod>"
    "<sr:LoadLimitPowerThreshold>5000</sr:LoadLimitPowerThreshold>"
    "<sr:LoadLimitRestorationPeriod>20</sr:LoadLimitRestorationPeriod>"
    "<sr:LoadLimitSupplyState>{state}</sr:LoadLimitSupplyState>"
    "</sr:UpdateDeviceConfigurationLoadLimitingGeneralSettings>"
)
DATED = "<sr:ExecutionDateTime>2030-01-15T09:00:00.00Z</sr:ExecutionDateTime>"


def balance_request(inside: str, mode: str = "PrepaymentMode") -> bytes:
    body = f"<sr:UpdateMeterBalance><sr:{mode}>{inside}</sr:{mode}></sr:UpdateMeterBalance>"
    return a_request("1.5", reference="1.5", command_variant=4, body=body)


def adjust_request(amount: str, mode: str = "PrepaymentMode") -> bytes:
    return balance_request(f"<sr:AdjustMeterBalance>{amount}</sr:AdjustMeterBalance>", mode)


def limit_request(period: str = "60", state: str = "Disable", before: str = "") -> bytes:
    body = LIMIT_BODY.format(period=period, state=state, before=before)
    return a_request("6.4.1", reference="6.4", command_variant=4, body=body)


def prepayment_request(fuel: str = "Electricity", *, cap: str = "30", limit: str = "300", again: str = "") -> bytes:
    calendar = f"sr:{fuel}NonDisablementCalendar"
    body = (
        f"<sr:UpdatePrepayConfiguration>{DATED}<sr:UpdatePrepayConfig{fuel}>"
        f"<sr:DebtRecoveryRateCap>{cap}</sr:DebtRecoveryRateCap><sr:EmergencyCreditLimit>{limit}</sr:EmergencyCreditLimit>"
        f"<sr:EmergencyCreditThreshold>400</sr:EmergencyCreditThreshold>{again}<sr:LowCreditThreshold>5</sr:LowCreditThreshold>"
        f"<{calendar}><sr:DayProfiles>1</sr:DayProfiles></{calendar}><sr:MaxMeterBalance>100</sr:MaxMeterBalance>"
        f"<sr:MaxCreditThreshold>200</sr:MaxCreditThreshold></sr:UpdatePrepayConfig{fuel}></sr:UpdatePrepayConfiguration>"
    )
    return a_request("2.1", reference="2.1", command_variant=4, body=body)
