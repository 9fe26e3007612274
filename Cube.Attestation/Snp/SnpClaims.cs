namespace Cube.Attestation.Snp;

/// <summary>The verified claims of an SEV-SNP report. The policy evaluates them.</summary>
public sealed record SnpClaims
{
    /// <summary>Milan, Genoa or Turin, from the certificate chain.</summary>
    public required string Product { get; init; }

    /// <summary>VCEK (key of one chip) or VLEK (key of a cloud provider).</summary>
    public required string SigningKey { get; init; }

    /// <summary>CSP_ID of a VLEK; null for a VCEK.</summary>
    public string? CspId { get; init; }

    public required uint GuestSvn { get; init; }

    public required ulong GuestPolicy { get; init; }

    /// <summary>The guest policy allows a migration agent, which is then part of the trusted computing base.</summary>
    public required bool MigrationAgentAllowed { get; init; }

    /// <summary>VMPL that the report was requested from, 0 (most privileged) to 3.</summary>
    public required uint Vmpl { get; init; }

    public required ReadOnlyMemory<byte> Measurement { get; init; }

    public required ReadOnlyMemory<byte> HostData { get; init; }

    public required ReadOnlyMemory<byte> IdKeyDigest { get; init; }

    public required ReadOnlyMemory<byte> AuthorKeyDigest { get; init; }

    public required ReadOnlyMemory<byte> FamilyId { get; init; }

    public required ReadOnlyMemory<byte> ImageId { get; init; }

    public required ReadOnlyMemory<byte> ReportData { get; init; }

    /// <summary>All zeros if the host masks it.</summary>
    public required ReadOnlyMemory<byte> ChipId { get; init; }

    public required SnpTcb ReportedTcb { get; init; }

    public required SnpTcb CommittedTcb { get; init; }

    public required SnpTcb LaunchTcb { get; init; }

    public required Version Firmware { get; init; }

    public required ulong CurrentMitigations { get; init; }

    /// <summary>True if a valid revocation list of AMD was checked.</summary>
    public required bool RevocationChecked { get; init; }

    /// <summary>Microsoft's endorsement of the measurement; null if the Evidence contains none.</summary>
    public UvmEndorsement? Uvm { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}
