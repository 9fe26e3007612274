using System.Security.Cryptography;
using Cube.Attestation.Tdx;
using Cube.Attestation.Tpm;

namespace Cube.Attestation.Evidence;

/// <summary>
/// Evidence as an agent hands it over: a type and the parts that its platform gave. Nothing in it is trusted, and nothing in it says what
/// is trusted. As JSON: <c>{"type", "format_version": 1, "parts": {…}}</c>, binary parts in base64, at most 256 KiB.
/// </summary>
public sealed record EvidenceDocument
{
    public const int FormatVersion = 1;
    public const int MaxBytes = 256 * 1024;

    /// <summary>One of <see cref="EvidenceType"/>.</summary>
    public required string Type { get; init; }

    /// <summary>SEV-SNP attestation report.</summary>
    public byte[]? Report { get; init; }

    /// <summary>Certificates of the report's key, DER, leaf first.</summary>
    public IReadOnlyList<byte[]> Certificates { get; init; } = [];

    /// <summary>The same as the host hands it to the guest.</summary>
    public byte[]? CertificateTable { get; init; }

    /// <summary>AMD's revocation list of the product.</summary>
    public byte[]? Crl { get; init; }

    /// <summary>Microsoft's endorsement of a utility VM.</summary>
    public byte[]? UvmEndorsement { get; init; }

    /// <summary>What HOST_DATA is the SHA-256 of.</summary>
    public byte[]? SecurityPolicy { get; init; }

    /// <summary>TDX quote.</summary>
    public byte[]? Quote { get; init; }

    public TdxCollateral? Collateral { get; init; }

    /// <summary>CCEL.</summary>
    public byte[]? CcEventLog { get; init; }

    /// <summary>Report of Azure's paravisor.</summary>
    public byte[]? HclReport { get; init; }

    public IReadOnlyList<TpmQuoteParts> TpmQuotes { get; init; } = [];

    /// <summary>JSON: a list by index (SHA-256), or an object bank → index → hex.</summary>
    public byte[]? Pcrs { get; init; }

    /// <summary>The vTPM's event log.</summary>
    public byte[]? EventLog { get; init; }

    /// <summary>TPMT_PUBLIC of the attestation key.</summary>
    public byte[]? AkPublic { get; init; }

    /// <summary>Certificate of the attestation key as it lies in NV, then its intermediates.</summary>
    public IReadOnlyList<byte[]> AkCertificates { get; init; } = [];

    /// <summary>Google's endorsement of its firmware.</summary>
    public byte[]? LaunchEndorsement { get; init; }

    /// <summary>Token of Microsoft Azure Attestation.</summary>
    public string? Token { get; init; }

    /// <summary>Development only.</summary>
    public SimulatedStatement? Simulated { get; init; }

    /// <summary>SubjectPublicKeyInfo of an attestation key; only test vectors have it in this form.</summary>
    internal byte[]? AkSpki { get; init; }

    internal bool IsSnpShaped => Type is EvidenceType.SevSnp or EvidenceType.AzureSnp;

    internal bool IsTdxShaped => Type is EvidenceType.Tdx or EvidenceType.AzureTdx;

    /// <summary>SHA-256 of the canonical JSON: under this name evidence is kept.</summary>
    public byte[] Sha256() => SHA256.HashData(EvidenceJson.Write(this));
}

/// <param name="Message">TPMS_ATTEST.</param>
/// <param name="Signature">TPMT_SIGNATURE, or Azure's bare RSA signature.</param>
public sealed record TpmQuoteParts(byte[] Message, byte[] Signature);

/// <summary>Evidence that says of itself that it proves nothing.</summary>
/// <param name="Statement">The exact JSON that was signed.</param>
/// <param name="Signature">ECDSA P-256, SHA-256, DER.</param>
/// <param name="PublicKey">SubjectPublicKeyInfo; whoever wrote the statement chose it.</param>
public sealed record SimulatedStatement(string Statement, byte[] Signature, byte[] PublicKey);
