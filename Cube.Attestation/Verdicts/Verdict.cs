namespace Cube.Attestation.Verdicts;

public enum Outcome
{
    /// <summary>The Evidence is authentic, bound, and satisfies the policies.</summary>
    Valid,

    /// <summary>The Evidence is rejected; the code names the reason.</summary>
    Invalid,

    /// <summary>Simulated Evidence for development: it proves nothing.</summary>
    Simulated,

    /// <summary>An input of the Appraisal is missing. The proxy treats this as a rejection.</summary>
    Indeterminate,
}

/// <summary>What the Evidence is bound to.</summary>
public enum Binding
{
    None,

    /// <summary>The key of the TLS certificate, but not this connection.</summary>
    Certificate,

    /// <summary>A short-lived key inside the TEE that the hardware has attested.</summary>
    LeaseKey,

    /// <summary>The key, the nonce and the TLS connection.</summary>
    Connection,
}

/// <summary>The result of one policy comparison.</summary>
/// <param name="Field">Path of the policy field, such as <c>snp.measurements</c>.</param>
/// <param name="Expected">The required value.</param>
/// <param name="Found">The value in the Evidence.</param>
/// <param name="Policy">Id of the policy that contains the field.</param>
public sealed record Finding(string Field, string Expected, string Found, bool Ok, string Policy);

/// <summary>
/// The Attestation Result (RFC 9334) of an Appraisal. It identifies hardware by hash only, so that it may appear in responses, audit records and traces.
/// </summary>
public sealed record Verdict
{
    public required Outcome Outcome { get; init; }

    /// <summary>One of <see cref="Codes"/>, or <c>policy-</c> and the field; null if the outcome is valid or simulated.</summary>
    public string? Code { get; init; }

    /// <summary>A human-readable sentence.</summary>
    public string? Detail { get; init; }

    /// <summary>One of <see cref="Evidence.EvidenceType"/>.</summary>
    public required string Type { get; init; }

    /// <summary>AMD product, for SEV-SNP.</summary>
    public string? Product { get; init; }

    /// <summary>Hex of MEASUREMENT or MRTD.</summary>
    public string? Measurement { get; init; }

    /// <summary>The reported TCB of AMD, or TEE_TCB_SVN of Intel in hex.</summary>
    public string? Tcb { get; init; }

    /// <summary>Intel's TCB status; null without collateral and for AMD.</summary>
    public string? TcbStatus { get; init; }

    public IReadOnlyList<string> Advisories { get; init; } = [];

    /// <summary>SHA-256 of the chip id in hex. It distinguishes machines without revealing the id.</summary>
    public string? ChipIdSha256 { get; init; }

    public Binding Binding { get; init; }

    /// <summary>The channel binding type: <c>tls-unique-finished</c>, <c>tls-exporter</c>, <c>none-simulated</c>.</summary>
    public string? ChannelBinding { get; init; }

    /// <summary>Hex.</summary>
    public string? Nonce { get; init; }

    /// <summary>Expected binder in hex. With it, the Appraisal can be repeated from the stored Evidence.</summary>
    public string? Binder { get; init; }

    public required DateTimeOffset EvaluatedAt { get; init; }

    /// <summary>End of validity: the end of the lease, or the earliest expiry of a certificate, revocation list or document.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    public string? PolicyId { get; init; }

    public int? PolicyVersion { get; init; }

    /// <summary>Hex.</summary>
    public required string EvidenceSha256 { get; init; }

    /// <summary>All policy comparisons, in the order of the policies.</summary>
    public IReadOnlyList<Finding> Findings { get; init; } = [];

    /// <summary>The verified claims; null if the Evidence is not authentic.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public Claims? Claims { get; init; }

    /// <summary>The Evidence, for storage under its hash.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public Evidence.EvidenceDocument? Evidence { get; init; }

    /// <summary>True if the verdict permits requests under the policies that it was made with.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool OpensConnections => Outcome is Outcome.Valid or Outcome.Simulated;
}
