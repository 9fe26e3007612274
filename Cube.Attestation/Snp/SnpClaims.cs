namespace Cube.Attestation.Snp;

/// <summary>What a genuine SEV-SNP report says. Whether that is enough is the policy's to decide.</summary>
public sealed record SnpClaims
{
    /// <summary>Milan, Genoa or Turin, by the chain that signed.</summary>
    public required string Product { get; init; }

    /// <summary>VCEK (one chip's key) or VLEK (a cloud provider's).</summary>
    public required string SigningKey { get; init; }

    /// <summary>The provider of a VLEK.</summary>
    public string? CspId { get; init; }

    public required uint GuestSvn { get; init; }

    public required ulong GuestPolicy { get; init; }

    /// <summary>A migration agent of the host's choice belongs to the trusted base.</summary>
    public required bool MigrationAgentAllowed { get; init; }

    /// <summary>Privilege level the report was asked from, 0 (highest) to 3.</summary>
    public required uint Vmpl { get; init; }

    public required ReadOnlyMemory<byte> Measurement { get; init; }

    public required ReadOnlyMemory<byte> HostData { get; init; }

    public required ReadOnlyMemory<byte> IdKeyDigest { get; init; }

    public required ReadOnlyMemory<byte> AuthorKeyDigest { get; init; }

    public required ReadOnlyMemory<byte> FamilyId { get; init; }

    public required ReadOnlyMemory<byte> ImageId { get; init; }

    public required ReadOnlyMemory<byte> ReportData { get; init; }

    /// <summary>All zero where the host masks it.</summary>
    public required ReadOnlyMemory<byte> ChipId { get; init; }

    public required SnpTcb ReportedTcb { get; init; }

    public required SnpTcb CommittedTcb { get; init; }

    public required SnpTcb LaunchTcb { get; init; }

    public required Version Firmware { get; init; }

    public required ulong CurrentMitigations { get; init; }

    /// <summary>Whether a revocation list of AMD's was there and good.</summary>
    public required bool RevocationChecked { get; init; }

    /// <summary>Microsoft's endorsement of the measurement, where one came with the report.</summary>
    public UvmEndorsement? Uvm { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}
