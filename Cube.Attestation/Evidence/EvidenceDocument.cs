using System.Security.Cryptography;
using Cube.Attestation.Tdx;
using Cube.Attestation.Tpm;

namespace Cube.Attestation.Evidence;

/// <summary>
/// Evidence as an agent sends it: a type and the parts that its platform generated. None of it is trusted. As JSON: <c>{"type", "format_version": 1, "parts": {…}}</c>, binary parts in base64, at most 256 KiB.
/// </summary>
public sealed record EvidenceDocument
{
    public const int FormatVersion = 1;
    public const int MaxBytes = 256 * 1024;

    /// <summary>One of <see cref="EvidenceType"/>.</summary>
    public required string Type { get; init; }

    /// <summary>SEV-SNP attestation report.</summary>
    public byte[]? Report { get; init; }

    /// <summary>Certificates of the report's signing key, DER, leaf first.</summary>
    public IReadOnlyList<byte[]> Certificates { get; init; } = [];

    /// <summary>The same certificates in the certificate table of the host.</summary>
    public byte[]? CertificateTable { get; init; }

    /// <summary>AMD's revocation list for the product.</summary>
    public byte[]? Crl { get; init; }

    /// <summary>Microsoft's endorsement of a utility VM.</summary>
    public byte[]? UvmEndorsement { get; init; }

    /// <summary>The document whose SHA-256 is HOST_DATA.</summary>
    public byte[]? SecurityPolicy { get; init; }

    /// <summary>TDX quote.</summary>
    public byte[]? Quote { get; init; }

    public TdxCollateral? Collateral { get; init; }

    /// <summary>CCEL.</summary>
    public byte[]? CcEventLog { get; init; }

    /// <summary>Report of Azure's paravisor.</summary>
    public byte[]? HclReport { get; init; }

    public IReadOnlyList<TpmQuoteParts> TpmQuotes { get; init; } = [];

    /// <summary>JSON: an array by index (SHA-256), or an object bank → index → hex.</summary>
    public byte[]? Pcrs { get; init; }

    /// <summary>The vTPM's event log.</summary>
    public byte[]? EventLog { get; init; }

    /// <summary>TPMT_PUBLIC of the attestation key.</summary>
    public byte[]? AkPublic { get; init; }

    /// <summary>Certificate of the attestation key as stored in NV memory, then its intermediates.</summary>
    public IReadOnlyList<byte[]> AkCertificates { get; init; } = [];

    /// <summary>Google's endorsement of its firmware.</summary>
    public byte[]? LaunchEndorsement { get; init; }

    /// <summary>Token of Microsoft Azure Attestation.</summary>
    public string? Token { get; init; }

    /// <summary>Development only.</summary>
    public SimulatedStatement? Simulated { get; init; }

    /// <summary>SubjectPublicKeyInfo of an attestation key; used by test vectors only.</summary>
    internal byte[]? AkSpki { get; init; }

    internal bool IsSnpShaped => Type is EvidenceType.SevSnp or EvidenceType.AzureSnp;

    internal bool IsTdxShaped => Type is EvidenceType.Tdx or EvidenceType.AzureTdx;

    /// <summary>SHA-256 of the canonical JSON; stored Evidence is named by it.</summary>
    public byte[] Sha256() => SHA256.HashData(EvidenceJson.Write(this));
}

/// <param name="Message">TPMS_ATTEST.</param>
/// <param name="Signature">TPMT_SIGNATURE, or Azure's bare RSA signature.</param>
public sealed record TpmQuoteParts(byte[] Message, byte[] Signature);

/// <summary>The signed statement of simulated Evidence.</summary>
/// <param name="Statement">The exact JSON that was signed.</param>
/// <param name="Signature">ECDSA P-256, SHA-256, DER.</param>
/// <param name="PublicKey">SubjectPublicKeyInfo of the key that the issuer chose.</param>
public sealed record SimulatedStatement(string Statement, byte[] Signature, byte[] PublicKey);
