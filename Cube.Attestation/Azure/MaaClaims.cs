namespace Cube.Attestation.Azure;

/// <summary>The claims of a Microsoft Azure Attestation token: an Attestation Result of another Verifier, not Evidence.</summary>
public sealed record MaaClaims
{
    public required string Issuer { get; init; }

    /// <summary>sevsnpvm or tdxvm.</summary>
    public required string Tee { get; init; }

    public required bool IsGuestToken { get; init; }

    public required bool IsCompliant { get; init; }

    public bool? SecureBoot { get; init; }

    /// <summary>
    /// In a guest token, the TPM of the machine quoted the nonce. In a platform token, the requester chose it, so that it binds nothing.
    /// </summary>
    public byte[]? Nonce { get; init; }

    /// <summary>64 bytes that the guest wrote before its hardware report was generated.</summary>
    public byte[]? UserData { get; init; }

    public byte[]? Measurement { get; init; }

    public byte[]? IdKeyDigest { get; init; }

    public uint? GuestSvn { get; init; }

    public string? TcbStatus { get; init; }

    public required DateTimeOffset IssuedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}
