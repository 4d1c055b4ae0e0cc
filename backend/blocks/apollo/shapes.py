"""Apollo: the shapes of people and organizations, in which anything may lack."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from backend.sdk import json_text
from backend.sdk.shapes import absent, many
from backend.sdk.shapes import record as exact_record


def record(parts: Mapping[str, Any], *, title: str, more: bool = False) -> dict[str, Any]:
    """Return the schema of an object all of whose parts may lack."""
    return exact_record(parts, title=title, optional=[*parts], more=more)


def _parts(names: str, hint: Any, default: Any) -> dict[str, Any]:
    """Return the schemas of parts of one kind, by name; each may be null."""
    return {name: absent(hint | None, default) for name in names.split()}


def _or_null(schema: Mapping[str, Any], default: Any) -> dict[str, Any]:
    return {"anyOf": [dict(schema), {"type": "null"}], "default": default, "title": ""}


def defaults_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of *schema* that has nothing but its defaults."""
    return {name: deepcopy(part["default"]) for name, part in schema["properties"].items()}


_TYPED_CUSTOM_FIELD: Final = record(
    {
        **_parts(
            "id value ",
            str,
            "",
        ),
    },
    title="TypedCustomField",
)
_RULE_CONFIG_STATUS: Final = record(
    {
        **_parts(
            "created_at rule_action_config_id rule_config_id status_cd updated_at id key ",
            str,
            "",
        ),
    },
    title="RuleConfigStatus",
)
_CONTACT_CAMPAIGN_STATUS: Final = record(
    {
        **_parts(
            "id emailer_campaign_id send_email_from_user_id inactive_reason status "
            "added_at added_by_user_id finished_at paused_at auto_unpause_at "
            "send_email_from_email_address send_email_from_email_account_id "
            "manually_set_unpause failure_reason current_step_id "
            "in_response_to_emailer_message_id cc_emails bcc_emails to_emails ",
            str,
            "",
        ),
    },
    title="ContactCampaignStatus",
)
_PRIMARY_PHONE: Final = record(
    {
        **_parts(
            "number source sanitized_number ",
            str,
            "",
        ),
    },
    title="PrimaryPhone",
)
_ACCOUNT: Final = record(
    {
        **_parts(
            "id name website_url blog_url angellist_url linkedin_url twitter_url "
            "facebook_url phone linkedin_uid publicly_traded_symbol "
            "publicly_traded_exchange logo_url chrunchbase_url primary_domain domain "
            "team_id organization_id account_stage_id source original_source creator_id "
            "owner_id created_at phone_status hubspot_id salesforce_id crm_owner_id "
            "parent_account_id sanitized_phone existence_level modality "
            "source_display_name salesforce_record_id crm_record_url ",
            str,
            "",
        ),
        **_parts(
            "languages label_ids ",
            list[str],
            [],
        ),
        **_parts(
            "alexa_ranking founded_year ",
            int,
            0,
        ),
        **_parts(
            "account_playbook_statues ",
            list[Any],
            [],
        ),
        **_parts(
            "typed_custom_fields custom_field_errors ",
            Any,
            {},
        ),
        "primary_phone": _or_null(_PRIMARY_PHONE, defaults_of(_PRIMARY_PHONE)),
        "account_rule_config_statuses": {
            **_or_null(many(_RULE_CONFIG_STATUS), []),
            "title": "Account Rule Config Statuses",
        },
    },
    title="Account",
)
_CONTACT_EMAIL: Final = record(
    {
        **_parts(
            "email email_md5 email_sha256 email_status email_source "
            "extrapolated_email_confidence email_from_customer ",
            str,
            "",
        ),
        **_parts(
            "position ",
            int,
            0,
        ),
        **_parts(
            "free_domain ",
            bool,
            True,
        ),
    },
    title="ContactEmail",
)
ORGANIZATION: Final = record(
    {
        **_parts(
            "id name website_url blog_url angellist_url linkedin_url twitter_url "
            "facebook_url phone linkedin_uid publicly_traded_symbol "
            "publicly_traded_exchange logo_url chrunchbase_url primary_domain "
            "sanitized_phone owned_by_organization_id intent_strength "
            "intent_signal_account ",
            str,
            "",
        ),
        **_parts(
            "languages ",
            list[str],
            [],
        ),
        **_parts(
            "alexa_ranking founded_year ",
            int,
            0,
        ),
        **_parts(
            "show_intent has_intent_signal_account ",
            bool,
            True,
        ),
        "primary_phone": _or_null(_PRIMARY_PHONE, defaults_of(_PRIMARY_PHONE)),
    },
    title="Organization",
    more=True,
)
_EMPLOYMENT_HISTORY: Final = record(
    {
        **_parts(
            "created_at degree description emails end_date grade_level kind major "
            "organization_id organization_name raw_address start_date title updated_at "
            "id key ",
            str,
            "",
        ),
        **_parts(
            "current ",
            bool,
            False,
        ),
    },
    title="EmploymentHistory",
    more=True,
)
_DIALER_FLAGS: Final = record(
    {
        **_parts(
            "country_name ",
            str,
            "",
        ),
        **_parts(
            "country_enabled high_risk_calling_enabled potential_high_risk_number ",
            bool,
            True,
        ),
    },
    title="DialerFlags",
)
_PHONE_NUMBER: Final = record(
    {
        **_parts(
            "raw_number sanitized_number type status dnc_status dnc_other_info ",
            str,
            "",
        ),
        **_parts(
            "position ",
            int,
            0,
        ),
        "dailer_flags": _or_null(_DIALER_FLAGS, defaults_of(_DIALER_FLAGS)),
    },
    title="PhoneNumber",
)
CONTACT: Final = record(
    {
        **_parts(
            "contact_roles label_ids ",
            list[Any],
            [],
        ),
        **_parts(
            "id first_name last_name name linkedin_url title contact_stage_id owner_id "
            "creator_id person_id organization_name source original_source "
            "organization_id headline photo_url present_raw_address linkededin_uid "
            "salesforce_id salesforce_lead_id salesforce_contact_id saleforce_account_id "
            "crm_owner_id created_at direct_dial_status direct_dial_enrichment_failed_at "
            "email_status email_source account_id last_activity_date hubspot_vid "
            "hubspot_company_id crm_id sanitized_phone merged_crm_ids updated_at "
            "suggested_from_rule_engine_config_id email_unsubscribed existence_level "
            "email email_from_customer salesforce_record_id crm_record_url "
            "email_status_unavailable_reason email_true_status source_display_name "
            "twitter_url state city country time_zone intent_strength account_phone_note "
            "contact_job_change_event ",
            str,
            "",
        ),
        **_parts(
            "email_needs_tickling queued_for_crm_push has_pending_email_arcgate_request "
            "has_email_arcgate_request updated_email_true_status show_intent free_domain "
            "is_likely_to_engage email_domain_catchall ",
            bool,
            True,
        ),
        **_parts(
            "extrapolated_email_confidence ",
            float,
            0.0,
        ),
        **_parts(
            "emailer_campaign_ids ",
            list[str],
            [],
        ),
        **_parts(
            "custom_field_errors ",
            Any,
            {},
        ),
        "typed_custom_fields": {
            **_or_null(many(_TYPED_CUSTOM_FIELD), []),
            "title": "Typed Custom Fields",
        },
        "contact_rule_config_statuses": {
            **_or_null(many(_RULE_CONFIG_STATUS), []),
            "title": "Contact Rule Config Statuses",
        },
        "contact_campaign_statuses": {
            **_or_null(many(_CONTACT_CAMPAIGN_STATUS), []),
            "title": "Contact Campaign Statuses",
        },
        "account": _or_null(_ACCOUNT, defaults_of(_ACCOUNT)),
        "contact_emails": {**_or_null(many(_CONTACT_EMAIL), []), "title": "Contact Emails"},
        "organization": _or_null(ORGANIZATION, defaults_of(ORGANIZATION)),
        "employment_history": {
            **_or_null(many(_EMPLOYMENT_HISTORY), []),
            "title": "Employment History",
        },
        "phone_numbers": {**_or_null(many(_PHONE_NUMBER), []), "title": "Phone Numbers"},
    },
    title="Contact",
    more=True,
)


def fitted(found: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return *found* as *schema* has it, with the defaults of what it lacks.

    The service says little of the kinds of its values, and they change: a number where a text
    should be becomes one, and what cannot be made to fit is null.
    """
    parts = schema["properties"]
    given = {
        name: _fit(value, parts[name]["anyOf"][0]) if name in parts else value
        for name, value in found.items()
    }
    return {**defaults_of(schema), **given}


def _fit(value: Any, schema: Mapping[str, Any]) -> Any:
    match schema.get("type"), value:
        case (None, _) | (_, None):
            return value
        case "object", dict():
            return fitted(value, schema) if "properties" in schema else value
        case "array", list():
            return [_fit(each, schema["items"]) for each in value]
        case "string", _:
            return value if isinstance(value, str) else json_text(value)
        case "boolean", bool():
            return value
        case "integer" | "number", int() | float() if not isinstance(value, bool):
            return int(value) if schema["type"] == "integer" else value
    return None
