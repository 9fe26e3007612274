using System.Text.Json.Serialization;

namespace Cube.Attestation.Policy;

/// <summary>
/// The appraisal policy (RFC 9334) that an Attester must satisfy before it receives a prompt. JSON in snake_case; an unknown field is an error.
/// The policy rejects evidence types that it does not list. It must contain a value that identifies the code of each type.
/// </summary>
public sealed record AttestationPolicy
{
    /// <summary>Types of <see cref="Evidence.EvidenceType"/> that are accepted. An empty list rejects all Evidence.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>Validity of a verdict in seconds, 60 to 900.</summary>
    public int LeaseSeconds { get; init; } = 600;

    /// <summary>Accepted bindings of the Evidence: <c>connection</c>, <c>lease-key</c>, <c>certificate</c>.</summary>
    public IReadOnlyList<string> Bindings { get; init; } = ["connection"];

    /// <summary>
    /// Whether administrators may change the models of a running machine. Evidence covers what a machine was started with;
    /// true accepts models that are loaded later without Evidence.
    /// </summary>
    public bool AllowModelChanges { get; init; }

    public SnpPolicy? Snp { get; init; }

    public TdxPolicy? Tdx { get; init; }

    public AzurePolicy? Azure { get; init; }

    public MaaPolicy? Maa { get; init; }
}

/// <summary>Requirements on SEV-SNP reports. Measurements, id keys, utility VM endorsement or Google's endorsement must identify the code.</summary>
public sealed record SnpPolicy
{
    /// <summary>Allowed MEASUREMENTs, hex of 48 bytes.</summary>
    public IReadOnlyList<string>? Measurements { get; init; }

    /// <summary>Allowed signers of ID blocks, each with the minimum guest SVN.</summary>
    public IReadOnlyList<IdKeyPolicy>? IdKeys { get; init; }

    public UvmPolicy? Uvm { get; init; }

    public LaunchPolicy? GoogleLaunch { get; init; }

    /// <summary>Allowed AUTHOR_KEY_DIGESTs, hex of 48 bytes.</summary>
    public IReadOnlyList<string>? AuthorKeys { get; init; }

    /// <summary>Milan, Genoa, Turin.</summary>
    public IReadOnlyList<string> Products { get; init; } = ["Milan", "Genoa", "Turin"];

    /// <summary>Minimum of each component of the reported TCB, by product.</summary>
    public IReadOnlyDictionary<string, TcbPolicy>? MinimumTcb { get; init; }

    /// <summary>Minimum of the committed TCB, by product. The host cannot roll back below the committed TCB.</summary>
    public IReadOnlyDictionary<string, TcbPolicy>? MinimumCommittedTcb { get; init; }

    public IReadOnlyDictionary<string, TcbPolicy>? MinimumLaunchTcb { get; init; }

    /// <summary>major.minor.build</summary>
    public string? MinimumFirmware { get; init; }

    /// <summary>Required bits of CURRENT_MIT_VECTOR, as hex; only reports of version 5 contain it.</summary>
    public string? Mitigations { get; init; }

    public uint? MinimumGuestSvn { get; init; }

    /// <summary>0 to 3.</summary>
    public uint MaxVmpl { get; init; }

    /// <summary>Exact value of the guest policy.</summary>
    public ulong? GuestPolicy { get; init; }

    public IReadOnlyList<string>? HostData { get; init; }

    public IReadOnlyList<string>? ChipIds { get; init; }

    /// <summary>Cloud providers (CSP_ID) whose VLEKs are accepted; null accepts no VLEK.</summary>
    public IReadOnlyList<string>? CspIds { get; init; }

    public string? FamilyId { get; init; }

    public string? ImageId { get; init; }

    public bool AllowMaskedChipId { get; init; }

    public bool AllowMigrationAgent { get; init; }

    /// <summary>Whether a valid revocation list of AMD is required.</summary>
    public bool RequireCrl { get; init; } = true;
}

/// <param name="Digest">ID_KEY_DIGEST, hex of 48 bytes.</param>
public sealed record IdKeyPolicy(string Digest, uint MinimumGuestSvn);

/// <param name="Feed">Such as <c>ContainerPlat-AMD-UVM</c>.</param>
public sealed record UvmPolicy(string Feed, int MinimumSvn);

/// <param name="Vcpus">The number of vCPUs of the machine. Required for SEV-SNP, whose measurement depends on it.</param>
public sealed record LaunchPolicy(uint? Vcpus = null, uint MinimumSvn = 0);

public sealed record TcbPolicy(byte Bootloader = 0, byte Tee = 0, byte Snp = 0, byte Microcode = 0, byte Fmc = 0);

/// <summary>Requirements on TDX quotes. MRTDs or Google's endorsement must identify the code.</summary>
public sealed record TdxPolicy
{
    /// <summary>Allowed MRTDs, hex of 48 bytes.</summary>
    public IReadOnlyList<string>? MrTds { get; init; }

    public LaunchPolicy? GoogleLaunch { get; init; }

    /// <summary>"0" to "3" → allowed values, hex of 48 bytes.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Rtmrs { get; init; }

    public IReadOnlyList<string> TcbStatuses { get; init; } = ["UpToDate"];

    /// <summary>Accepted Intel advisories; null accepts all advisories of an accepted status.</summary>
    public IReadOnlyList<string>? AllowedAdvisories { get; init; }

    public int? MinimumTcbEvaluationNumber { get; init; }

    /// <summary>Hex of 16 bytes, compared byte by byte.</summary>
    public string? MinimumTeeTcbSvn { get; init; }

    public int? MinimumQeSvn { get; init; }

    public int? MinimumPceSvn { get; init; }

    public IReadOnlyList<string>? MrSeams { get; init; }

    public IReadOnlyList<string>? MrConfigIds { get; init; }

    public IReadOnlyList<string>? MrOwners { get; init; }

    public IReadOnlyList<string>? MrOwnerConfigs { get; init; }

    public string? Xfam { get; init; }

    public string? TdAttributes { get; init; }

    public bool RequireSeptVeDisable { get; init; } = true;

    public bool AllowMigration { get; init; }

    /// <summary>Whether an event log is required whose replay results in the RTMRs.</summary>
    public bool RequireEventLog { get; init; }
}

/// <summary>Requirements on Azure machines, in addition to those on their SNP or TDX report.</summary>
public sealed record AzurePolicy
{
    public bool RequireSecureBoot { get; init; } = true;

    /// <summary>Bank (sha256 and longer) → register → allowed values.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>? Pcrs { get; init; }

    /// <summary>Whether the certificate of the attestation key must chain to a Microsoft root.</summary>
    public bool RequireAkCertificate { get; init; }

    public bool RequireEventLog { get; init; }
}

/// <summary>Requirements on tokens of Microsoft Azure Attestation. Measurements or id keys must identify the code.</summary>
public sealed record MaaPolicy
{
    /// <summary>Allowed instances, such as <c>https://sharedweu.weu.attest.azure.net</c>.</summary>
    public IReadOnlyList<string> Issuers { get; init; } = [];

    /// <summary>sevsnpvm or tdxvm.</summary>
    public string Tee { get; init; } = "sevsnpvm";

    public IReadOnlyList<string>? Measurements { get; init; }

    public IReadOnlyList<IdKeyPolicy>? IdKeys { get; init; }

    public IReadOnlyList<string> TcbStatuses { get; init; } = ["UpToDate"];

    public bool RequireCompliance { get; init; } = true;

    /// <summary>Maximum age of the token in seconds.</summary>
    public int MaxAgeSeconds { get; init; } = 600;
}

/// <summary>A policy with its stored id and version.</summary>
/// <param name="Id">Such as <c>platform</c>, or a domain's id.</param>
public sealed record NamedPolicy(string Id, int Version, [property: JsonIgnore] AttestationPolicy Policy);
