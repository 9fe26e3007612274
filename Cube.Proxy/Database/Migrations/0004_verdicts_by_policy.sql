-- The rows of a deleted domain are found by it.
create index attestation_verdicts_policy_id on attestation_verdicts (policy_id);
