namespace Cube.Attestation.Azure;

/// <summary>What Microsoft Azure Attestation says of a machine. It is Microsoft's opinion, not evidence of one's own.</summary>
public sealed record MaaClaims
{
    public required string Issuer { get; init; }

    /// <summary>sevsnpvm or tdxvm.</summary>
    public required string Tee { get; init; }

    public required bool IsGuestToken { get; init; }

    public required bool IsCompliant { get; init; }

    public bool? SecureBoot { get; init; }

    /// <summary>
    /// In a guest token it was quoted by the machine's TPM. In a platform token it is an echo of whoever asked Microsoft, and binds nothing.
    /// </summary>
    public byte[]? Nonce { get; init; }

    /// <summary>What the guest wrote before its hardware report was made.</summary>
    public byte[]? UserData { get; init; }

    public byte[]? Measurement { get; init; }

    public byte[]? IdKeyDigest { get; init; }

    public uint? GuestSvn { get; init; }

    public string? TcbStatus { get; init; }

    public required DateTimeOffset IssuedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}
