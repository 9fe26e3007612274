using System.Text.Json.Serialization;

namespace Cube.Identity.Pats;

/// <summary>A row of <c>pats</c>.</summary>
internal sealed class Pat
{
    public Guid Id { get; init; }
    public Guid UserId { get; init; }
    public string Name { get; init; } = "";
    public string Description { get; init; } = "";
    public DateTime IssuedAt { get; init; }
    public DateTime ExpiresAt { get; init; }
    public DateTime? UpdatedAt { get; init; }
    public DateTime? LastUsedAt { get; init; }
    public DateTime? RevokedAt { get; init; }

    /// <param name="now">The time that decides whether the token has expired.</param>
    /// <param name="secret">The secret of a token that was just created or reset; it cannot be read later.</param>
    public PatView ToView(DateTimeOffset now, string? secret = null) => new(
        Id, UserId, Name, Description, secret, IssuedAt, ExpiresAt, UpdatedAt, LastUsedAt, RevokedAt is not null, RevokedAt,
        RevokedAt is not null ? "revoked" : ExpiresAt <= now.UtcDateTime ? "expired" : "active");
}

internal sealed record PatView(
    Guid Id,
    Guid UserId,
    string Name,
    string Description,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Secret,
    DateTime IssuedAt,
    DateTime ExpiresAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTime? UpdatedAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTime? LastUsedAt,
    bool Revoked,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTime? RevokedAt,
    string Status);

/// <summary>One scope of a token: an operation on models of a domain, or on the domain.</summary>
internal sealed record PatScope(Guid Id, Guid PatId, Guid DomainId, string EntityType, string EntityId, string Operation);
