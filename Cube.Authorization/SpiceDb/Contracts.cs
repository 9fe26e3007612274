using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cube.Authorization.SpiceDb;

/// <summary>
/// The messages of SpiceDB's HTTP API that Cube uses: https://buf.build/authzed/api/docs/main:authzed.api.v1. Field names are camelCase,
/// enumerations are written as names, and an absent field is null.
/// </summary>
internal static class Contracts
{
    public sealed record Object(string? ObjectType, string? ObjectId);

    public sealed record Subject(Object? Object, string? OptionalRelation);

    public sealed record Tuple(Object? Resource, string? Relation, Subject? Subject, JsonElement? OptionalCaveat = null, JsonElement? OptionalExpiresAt = null);

    public sealed record Token([property: JsonPropertyName("token")] string Value);

    public sealed record Consistency(bool? FullyConsistent = null, bool? MinimizeLatency = null, Token? AtLeastAsFresh = null, Token? AtExactSnapshot = null)
    {
        public static Consistency Full { get; } = new(FullyConsistent: true);
    }

    public sealed record ReadSchema;

    public sealed record SchemaText([property: JsonPropertyName("schemaText")] string Value, Token ReadAt);

    public sealed record WriteSchema(string? Schema);

    public sealed record Written(Token WrittenAt);

    public sealed record Update(string? Operation, Tuple? Relationship);

    public sealed record SubjectFilter(string? SubjectType, string? OptionalSubjectId, RelationFilter? OptionalRelation);

    public sealed record RelationFilter(string? Relation);

    public sealed record Filter(
        string? ResourceType, string? OptionalResourceId, string? OptionalResourceIdPrefix, string? OptionalRelation, SubjectFilter? OptionalSubjectFilter);

    public sealed record Precondition(string? Operation, Filter? Filter);

    public sealed record Write(IReadOnlyList<Update>? Updates, IReadOnlyList<Precondition>? OptionalPreconditions = null);

    public sealed record Delete(
        Filter? RelationshipFilter, IReadOnlyList<Precondition>? OptionalPreconditions, int? OptionalLimit, bool? OptionalAllowPartialDeletions);

    public sealed record Deleted(Token DeletedAt, string DeletionProgress);

    public sealed record Read(Consistency? Consistency, Filter? RelationshipFilter, int? OptionalLimit = null, JsonElement? OptionalCursor = null);

    /// <summary>One line of a streamed response.</summary>
    public sealed record ReadLine(ReadResult? Result, RpcStatus? Error = null);

    public sealed record ReadResult(Token ReadAt, Tuple Relationship);

    public sealed record Check(Consistency? Consistency, Object? Resource, string? Permission, Subject? Subject, JsonElement? Context = null);

    public sealed record Checked(Token CheckedAt, string Permissionship);

    public sealed record CheckBulk(Consistency? Consistency, IReadOnlyList<CheckItem>? Items);

    public sealed record CheckItem(Object? Resource, string? Permission, Subject? Subject, JsonElement? Context = null);

    public sealed record CheckedBulk(Token CheckedAt, IReadOnlyList<CheckedPair> Pairs);

    public sealed record CheckedPair(CheckItem Request, CheckedItem? Item = null, RpcStatus? Error = null);

    public sealed record CheckedItem(string Permissionship);

    /// <summary><c>google.rpc.Status</c>.</summary>
    /// <param name="Code">A gRPC status code.</param>
    public sealed record RpcStatus(int Code, string Message, IReadOnlyList<JsonElement> Details);

    public const string HasPermission = "PERMISSIONSHIP_HAS_PERMISSION";
    public const string NoPermission = "PERMISSIONSHIP_NO_PERMISSION";
    public const string OperationPrefix = "OPERATION_";
}

[JsonSerializable(typeof(Contracts.ReadSchema))]
[JsonSerializable(typeof(Contracts.SchemaText))]
[JsonSerializable(typeof(Contracts.WriteSchema))]
[JsonSerializable(typeof(Contracts.Written))]
[JsonSerializable(typeof(Contracts.Write))]
[JsonSerializable(typeof(Contracts.Delete))]
[JsonSerializable(typeof(Contracts.Deleted))]
[JsonSerializable(typeof(Contracts.Read))]
[JsonSerializable(typeof(Contracts.ReadLine))]
[JsonSerializable(typeof(Contracts.Check))]
[JsonSerializable(typeof(Contracts.Checked))]
[JsonSerializable(typeof(Contracts.CheckBulk))]
[JsonSerializable(typeof(Contracts.CheckedBulk))]
[JsonSerializable(typeof(Contracts.RpcStatus))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, NewLine = "\n")]
internal sealed partial class ContractsJson : JsonSerializerContext;
