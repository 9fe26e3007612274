using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Cube.Authorization.Relationships;
using Cube.Authorization.SpiceDb;
using Cube.ServiceDefaults.Tokens;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Cube.Authorization.Engine;

/// <summary>
/// The embedded engine behind the paths, messages and codes of SpiceDB's HTTP API, so that a SpiceDB client works with either. The bearer
/// key of a request selects the store.
/// </summary>
internal static class EngineApi
{
    /// <summary>Maps nothing when SpiceDB decides.</summary>
    public static IEndpointRouteBuilder MapAuthorizationEngine(this IEndpointRouteBuilder endpoints)
    {
        if (endpoints.ServiceProvider.GetService<EngineStores>() is not { } stores)
        {
            return endpoints;
        }

        var v1 = endpoints.MapGroup("/v1").AllowAnonymous().ExcludeFromDescription();
        v1.MapPost("/schema/read", Call(stores, ContractsJson.Default.ReadSchema, ReadSchemaAsync));
        v1.MapPost("/schema/write", Call(stores, ContractsJson.Default.WriteSchema, WriteSchemaAsync));
        v1.MapPost("/relationships/write", Call(stores, ContractsJson.Default.Write, WriteAsync));
        v1.MapPost("/relationships/delete", Call(stores, ContractsJson.Default.Delete, DeleteAsync));
        v1.MapPost("/relationships/read", Call(stores, ContractsJson.Default.Read, ReadAsync));
        v1.MapPost("/permissions/check", Call(stores, ContractsJson.Default.Check, CheckAsync));
        v1.MapPost("/permissions/checkbulk", Call(stores, ContractsJson.Default.CheckBulk, CheckBulkAsync));
        v1.Map("/{**rest}", static context => WriteErrorAsync(context, new EngineException(EngineException.NotFoundCode, "Not Found")));
        return endpoints;
    }

    private static RequestDelegate Call<T>(EngineStores stores, JsonTypeInfo<T> type, Func<HttpContext, EmbeddedEngine, T, Task> handle) => async context =>
    {
        try
        {
            var engine = stores.Find(BearerToken.Read(context.Request.Headers) ?? "")
                ?? throw new EngineException(EngineException.UnauthenticatedCode, "invalid preshared key: invalid token");
            await handle(context, engine, await BodyAsync(context, type));
        }
        catch (EngineException exception) when (!context.Response.HasStarted)
        {
            await WriteErrorAsync(context, exception);
        }
    };

    private static async Task<T> BodyAsync<T>(HttpContext context, JsonTypeInfo<T> type)
    {
        try
        {
            // As in SpiceDB's gateway, the content type is ignored and an empty body is an empty message.
            using var buffer = new MemoryStream();
            await context.Request.Body.CopyToAsync(buffer, context.RequestAborted);
            var bytes = buffer.Length == 0 ? "{}"u8.ToArray() : buffer.ToArray();
            return JsonSerializer.Deserialize(bytes, type) ?? throw EngineException.Invalid("The body is null.");
        }
        catch (JsonException)
        {
            throw EngineException.Invalid("The body is not a valid JSON message for this call.");
        }
    }

    private static async Task ReadSchemaAsync(HttpContext context, EmbeddedEngine engine, Contracts.ReadSchema request)
    {
        var text = await engine.ReadSchemaAsync(context.RequestAborted) ?? throw EngineException.NoSchema;
        await WriteAsync(context, new Contracts.SchemaText(text, Now()), ContractsJson.Default.SchemaText);
    }

    private static async Task WriteSchemaAsync(HttpContext context, EmbeddedEngine engine, Contracts.WriteSchema request)
    {
        await engine.WriteSchemaAsync(request.Schema ?? "", context.RequestAborted);
        await WriteAsync(context, new Contracts.Written(Now()), ContractsJson.Default.Written);
    }

    private static async Task WriteAsync(HttpContext context, EmbeddedEngine engine, Contracts.Write request)
    {
        await engine.WriteAsync([.. (request.Updates ?? []).Select(ToUpdate)], Preconditions(request.OptionalPreconditions), context.RequestAborted);
        await WriteAsync(context, new Contracts.Written(Now()), ContractsJson.Default.Written);
    }

    private static async Task DeleteAsync(HttpContext context, EmbeddedEngine engine, Contracts.Delete request)
    {
        if (request.OptionalLimit is > 0 || request.OptionalAllowPartialDeletions is true)
        {
            throw EngineException.Invalid("The embedded engine deletes everything that a filter matches. It does not support limits.");
        }

        await engine.DeleteAsync(ToFilter(request.RelationshipFilter), Preconditions(request.OptionalPreconditions), context.RequestAborted);
        await WriteAsync(context, new Contracts.Deleted(Now(), "DELETION_PROGRESS_COMPLETE"), ContractsJson.Default.Deleted);
    }

    /// <summary>Streams one JSON message per line.</summary>
    private static async Task ReadAsync(HttpContext context, EmbeddedEngine engine, Contracts.Read request)
    {
        if (request.OptionalCursor is { ValueKind: not JsonValueKind.Null })
        {
            throw EngineException.Invalid("The embedded engine does not support cursors.");
        }

        var count = 0;
        try
        {
            await foreach (var tuple in engine.ReadAsync(ToFilter(request.RelationshipFilter), context.RequestAborted))
            {
                if (count == 0)
                {
                    context.Response.ContentType = "application/json";
                }

                var line = new Contracts.ReadLine(new Contracts.ReadResult(Now(), FromRelationship(tuple)));
                await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(line, ContractsJson.Default.ReadLine), context.RequestAborted);
                await context.Response.Body.WriteAsync("\n"u8.ToArray(), context.RequestAborted);
                if (++count == request.OptionalLimit)
                {
                    return;
                }
            }
        }
        catch (EngineException exception) when (!context.Response.HasStarted)
        {
            context.Response.StatusCode = StatusOf(exception.Code);
            await WriteAsync(context, new Contracts.ReadLine(null, ToContract(exception)), ContractsJson.Default.ReadLine);
        }
    }

    private static async Task CheckAsync(HttpContext context, EmbeddedEngine engine, Contracts.Check request)
    {
        var (has, exception) = (await engine.EvaluateAsync([ToPermissionCheck(request.Resource, request.Permission, request.Subject, request.Context)], context.RequestAborted))[0];
        await WriteAsync(context, exception is null ? new Contracts.Checked(Now(), Permissionship(has)) : throw exception, ContractsJson.Default.Checked);
    }

    private static async Task CheckBulkAsync(HttpContext context, EmbeddedEngine engine, Contracts.CheckBulk request)
    {
        var items = request.Items ?? [];
        var answers = await engine.EvaluateAsync([.. items.Select(static item => ToPermissionCheck(item.Resource, item.Permission, item.Subject, item.Context))], context.RequestAborted);
        var pairs = items.Zip(answers, static (item, answer) => answer.Error is { } exception
            ? new Contracts.CheckedPair(item, Error: ToContract(exception))
            : new Contracts.CheckedPair(item, new Contracts.CheckedItem(Permissionship(answer.Has))));
        await WriteAsync(context, new Contracts.CheckedBulk(Now(), [.. pairs]), ContractsJson.Default.CheckedBulk);
    }

    private static string Permissionship(bool has) => has ? Contracts.HasPermission : Contracts.NoPermission;

    private static PermissionCheck ToPermissionCheck(Contracts.Object? resource, string? permission, Contracts.Subject? subject, JsonElement? context)
    {
        if (context is { ValueKind: JsonValueKind.Object })
        {
            throw EngineException.Invalid("The embedded engine does not support caveats or context.");
        }

        var check = new PermissionCheck(ToObject(resource), permission ?? "", ToSubject(subject));
        RelationshipValidator.CheckForm(check.Resource);
        RelationshipValidator.CheckForm(check.Subject.Object);
        RelationshipValidator.CheckName(check.Permission, "CheckPermissionRequest.Permission");
        return check.Resource.Id == "*" ? throw EngineException.Invalid("invalid ObjectReference.ObjectId: alphanumeric value is required") : check;
    }

    private static RelationshipUpdate ToUpdate(Contracts.Update update)
    {
        if (update.Relationship is not { } tuple)
        {
            throw EngineException.Invalid("invalid RelationshipUpdate.Relationship: value is required");
        }

        if (tuple.OptionalCaveat is { ValueKind: JsonValueKind.Object } || tuple.OptionalExpiresAt is { ValueKind: not JsonValueKind.Null })
        {
            throw EngineException.Invalid("The embedded engine does not support caveats or expiring relationships.");
        }

        var change = update.Operation switch
        {
            "OPERATION_CREATE" => UpdateOperation.Create,
            "OPERATION_TOUCH" => UpdateOperation.Touch,
            "OPERATION_DELETE" => UpdateOperation.Delete,
            _ => throw EngineException.Invalid("invalid RelationshipUpdate.Operation: value must not be in list [OPERATION_UNSPECIFIED]"),
        };
        return new RelationshipUpdate(change, new Relationship(ToObject(tuple.Resource), tuple.Relation ?? "", ToSubject(tuple.Subject)));
    }

    private static (bool MustMatch, RelationshipFilter Filter)[] Preconditions(IReadOnlyList<Contracts.Precondition>? preconditions) =>
    [
        .. (preconditions ?? []).Select(static precondition => (
            precondition.Operation switch
            {
                "OPERATION_MUST_MATCH" => true,
                "OPERATION_MUST_NOT_MATCH" => false,
                _ => throw EngineException.Invalid("invalid Precondition.Operation: value must not be in list [OPERATION_UNSPECIFIED]"),
            },
            ToFilter(precondition.Filter))),
    ];

    private static RelationshipFilter ToFilter(Contracts.Filter? filter)
    {
        var subject = filter?.OptionalSubjectFilter;
        if (filter is null || (Given(filter.ResourceType) ?? Given(filter.OptionalResourceId) ?? Given(filter.OptionalRelation) ?? Given(subject?.SubjectType)) is null)
        {
            throw EngineException.Invalid("the relationship filter provided is not valid: at least one field must be set");
        }

        return Given(filter.OptionalResourceIdPrefix) is null
            ? new RelationshipFilter(
                Given(filter.ResourceType), Given(filter.OptionalResourceId), Given(filter.OptionalRelation),
                Given(subject?.SubjectType), Given(subject?.OptionalSubjectId), subject?.OptionalRelation is { } relation ? relation.Relation ?? "" : null)
            : throw EngineException.Invalid("The embedded engine does not support filters by prefix.");

        static string? Given(string? value) => string.IsNullOrEmpty(value) ? null : value;
    }

    private static ObjectRef ToObject(Contracts.Object? reference) => reference is null
        ? throw EngineException.Invalid("invalid ObjectReference: value is required")
        : new ObjectRef(reference.ObjectType ?? "", reference.ObjectId ?? "");

    private static SubjectRef ToSubject(Contracts.Subject? subject) => subject is null
        ? throw EngineException.Invalid("invalid SubjectReference: value is required")
        : new SubjectRef(ToObject(subject.Object), subject.OptionalRelation ?? "");

    private static Contracts.Tuple FromRelationship(Relationship tuple) => new(
        new(tuple.Resource.Type, tuple.Resource.Id), tuple.Relation, new(new(tuple.Subject.Object.Type, tuple.Subject.Object.Id), tuple.Subject.Relation));

    /// <summary>Every read uses the newest state, so the consistency token is constant.</summary>
    private static Contracts.Token Now() => new(Convert.ToBase64String("newest"u8));

    private static Task WriteErrorAsync(HttpContext context, EngineException exception)
    {
        context.Response.StatusCode = StatusOf(exception.Code);
        return WriteAsync(context, ToContract(exception), ContractsJson.Default.RpcStatus);
    }

    private static Contracts.RpcStatus ToContract(EngineException exception) => new(exception.Code, exception.Message, []);

    private static Task WriteAsync<T>(HttpContext context, T body, JsonTypeInfo<T> type) =>
        context.Response.WriteAsJsonAsync(body, type, "application/json", context.RequestAborted);

    /// <summary>The mapping of grpc-gateway.</summary>
    private static int StatusOf(int code) => code switch
    {
        EngineException.InvalidArgumentCode or EngineException.FailedPreconditionCode => StatusCodes.Status400BadRequest,
        EngineException.NotFoundCode => StatusCodes.Status404NotFound,
        EngineException.AlreadyExistsCode => StatusCodes.Status409Conflict,
        EngineException.ResourceExhaustedCode => StatusCodes.Status429TooManyRequests,
        EngineException.UnauthenticatedCode => StatusCodes.Status401Unauthorized,
        _ => StatusCodes.Status500InternalServerError,
    };
}
