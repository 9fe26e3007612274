namespace Cube.Attestation;

public enum Outcome
{
    /// <summary>Genuine, bound, and what the policy demands.</summary>
    Valid,

    /// <summary>Refused; the code says why.</summary>
    Invalid,

    /// <summary>Evidence for development: it proves nothing, and says so.</summary>
    Simulated,

    /// <summary>Something that is needed to judge is missing. For traffic that is a refusal.</summary>
    Indeterminate,
}

/// <summary>What evidence is bound to.</summary>
public enum Binding
{
    None,

    /// <summary>The key in a certificate: not to this connection.</summary>
    Certificate,

    /// <summary>A key inside the TEE that stands in for the hardware for a short time.</summary>
    LeaseKey,

    /// <summary>Key, nonce and connection.</summary>
    Connection,
}

/// <summary>One thing that was compared.</summary>
/// <param name="Field">Name in the policy, such as <c>snp.measurements</c>.</param>
/// <param name="Expected">What the policy demands.</param>
/// <param name="Found">What the evidence says.</param>
/// <param name="Policy">Id of the policy that demands it.</param>
public sealed record Finding(string Field, string Expected, string Found, bool Ok, string Policy);

/// <summary>
/// The judgement of evidence, the only one there is. It names hardware by hash only, so that it may go into answers, audit and traces.
/// </summary>
public sealed record Verdict
{
    public required Outcome Outcome { get; init; }

    /// <summary>One of <see cref="Codes"/>, or <c>policy-</c> and the field; null where the outcome is valid or simulated.</summary>
    public string? Code { get; init; }

    /// <summary>One sentence for a person.</summary>
    public string? Detail { get; init; }

    /// <summary>One of <see cref="Evidence.EvidenceType"/>.</summary>
    public required string Type { get; init; }

    /// <summary>AMD's product, for SEV-SNP.</summary>
    public string? Product { get; init; }

    /// <summary>Hex of MEASUREMENT or MRTD.</summary>
    public string? Measurement { get; init; }

    /// <summary>The reported TCB of AMD, or TEE_TCB_SVN of Intel in hex.</summary>
    public string? Tcb { get; init; }

    /// <summary>In Intel's words; null without collateral, and for AMD.</summary>
    public string? TcbStatus { get; init; }

    public IReadOnlyList<string> Advisories { get; init; } = [];

    /// <summary>SHA-256 of the chip id, hex: enough to tell machines apart, not to name them.</summary>
    public string? ChipIdSha256 { get; init; }

    public Binding Binding { get; init; }

    /// <summary>How the connection was bound: <c>tls-unique-finished</c>, <c>tls-exporter</c>, <c>none-simulated</c>.</summary>
    public string? ChannelBinding { get; init; }

    /// <summary>Hex.</summary>
    public string? Nonce { get; init; }

    /// <summary>Hex of what the evidence had to be bound to; with it the verdict can be repeated from what is kept.</summary>
    public string? Binder { get; init; }

    public required DateTimeOffset EvaluatedAt { get; init; }

    /// <summary>No use of the verdict after this: the lease, or the first certificate, list or document to end.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    public string? PolicyId { get; init; }

    public int? PolicyVersion { get; init; }

    /// <summary>Hex.</summary>
    public required string EvidenceSha256 { get; init; }

    /// <summary>Everything that the policies compared, in their order.</summary>
    public IReadOnlyList<Finding> Findings { get; init; } = [];

    /// <summary>What the evidence says; null where it is not genuine.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public Claims? Claims { get; init; }

    /// <summary>The evidence itself, to be kept by its hash.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public Evidence.EvidenceDocument? Evidence { get; init; }

    /// <summary>A request may be sent under it, as far as the policies at its time go.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool OpensConnections => Outcome is Outcome.Valid or Outcome.Simulated;
}
