namespace Cube.Attestation.Tpm;

/// <summary>The verified claims of a TPM quote.</summary>
public sealed record TpmClaims
{
    /// <summary>Bank → register → value. SHA-1 banks are included, but policies cannot refer to them.</summary>
    public required IReadOnlyDictionary<string, SortedDictionary<int, byte[]>> Pcrs { get; init; }

    /// <summary>True if the replay of the event log results in the quoted registers.</summary>
    public bool EventLogReplayed { get; init; }

    /// <summary>True if the certificate of the attestation key chains to a vendor's root.</summary>
    public bool CertificateChecked { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }
}
