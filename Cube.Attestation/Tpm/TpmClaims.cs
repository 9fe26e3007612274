namespace Cube.Attestation.Tpm;

/// <summary>What a TPM's quote says of the registers it covers.</summary>
public sealed record TpmClaims
{
    /// <summary>Bank → register → value. A SHA-1 bank is here too; no policy builds on it.</summary>
    public required IReadOnlyDictionary<string, SortedDictionary<int, byte[]>> Pcrs { get; init; }

    /// <summary>An event log came along, and its replay gives the quoted registers.</summary>
    public bool EventLogReplayed { get; init; }

    /// <summary>The certificate of the attestation key leads to a vendor's root.</summary>
    public bool CertificateChecked { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }
}
