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
        v1.Map("/{**rest}", static context => WriteFaultAsync(context, new EngineFault(EngineFault.NotFoundCode, "Not Found")));
        return endpoints;
    }

    private static RequestDelegate Call<T>(EngineStores stores, JsonTypeInfo<T> type, Func<HttpContext, EmbeddedEngine, T, Task> handle) => async context =>
    {
        try
        {
            var engine = stores.Find(BearerToken.Read(context.Request.Headers) ?? "")
                ?? throw new EngineFault(EngineFault.UnauthenticatedCode, "invalid preshared key: invalid token");
            await handle(context, engine, await BodyAsync(context, type));
        }
        catch (EngineFault fault) when (!context.Response.HasStarted)
        {
            await WriteFaultAsync(context, fault);
        }
    };

    private static async Task<T> BodyAsync<T>(HttpContext context, JsonTypeInfo<T> type)
    {
        try
        {
            // Like SpiceDB's gateway: whatever content type, and nothing at all is an empty message.
            using var buffer = new MemoryStream();
            await context.Request.Body.CopyToAsync(buffer, context.RequestAborted);
            var bytes = buffer.Length == 0 ? "{}"u8.ToArray() : buffer.ToArray();
            return JsonSerializer.Deserialize(bytes, type) ?? throw EngineFault.Invalid("The body is null.");
        }
        catch (JsonException)
        {
            throw EngineFault.Invalid("The body is not a JSON message of this call.");
        }
    }

    private static async Task ReadSchemaAsync(HttpContext context, EmbeddedEngine engine, Contracts.ReadSchema request)
    {
        var text = await engine.ReadSchemaAsync(context.RequestAborted) ?? throw EngineFault.NoSchema;
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
            throw EngineFault.Invalid("The embedded engine deletes all that a filter matches: there is no limit.");
        }

        await engine.DeleteAsync(ToFilter(request.RelationshipFilter), Preconditions(request.OptionalPreconditions), context.RequestAborted);
        await WriteAsync(context, new Contracts.Deleted(Now(), "DELETION_PROGRESS_COMPLETE"), ContractsJson.Default.Deleted);
    }

    /// <summary>One JSON message a line, as it is read.</summary>
    private static async Task ReadAsync(HttpContext context, EmbeddedEngine engine, Contracts.Read request)
    {
        if (request.OptionalCursor is { ValueKind: not JsonValueKind.Null })
        {
            throw EngineFault.Invalid("The embedded engine has no cursors.");
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
        catch (EngineFault fault) when (!context.Response.HasStarted)
        {
            context.Response.StatusCode = StatusOf(fault.Code);
            await WriteAsync(context, new Contracts.ReadLine(null, ToContract(fault)), ContractsJson.Default.ReadLine);
        }
    }

    private static async Task CheckAsync(HttpContext context, EmbeddedEngine engine, Contracts.Check request)
    {
        var (has, fault) = (await engine.AnswerAsync([ToQuestion(request.Resource, request.Permission, request.Subject, request.Context)], context.RequestAborted))[0];
        await WriteAsync(context, fault is null ? new Contracts.Checked(Now(), Permissionship(has)) : throw fault, ContractsJson.Default.Checked);
    }

    private static async Task CheckBulkAsync(HttpContext context, EmbeddedEngine engine, Contracts.CheckBulk request)
    {
        var items = request.Items ?? [];
        var answers = await engine.AnswerAsync([.. items.Select(static item => ToQuestion(item.Resource, item.Permission, item.Subject, item.Context))], context.RequestAborted);
        var pairs = items.Zip(answers, static (item, answer) => answer.Fault is { } fault
            ? new Contracts.CheckedPair(item, Error: ToContract(fault))
            : new Contracts.CheckedPair(item, new Contracts.CheckedItem(Permissionship(answer.Has))));
        await WriteAsync(context, new Contracts.CheckedBulk(Now(), [.. pairs]), ContractsJson.Default.CheckedBulk);
    }

    private static string Permissionship(bool has) => has ? Contracts.HasPermission : Contracts.NoPermission;

    private static Question ToQuestion(Contracts.Object? resource, string? permission, Contracts.Subject? subject, JsonElement? context)
    {
        if (context is { ValueKind: JsonValueKind.Object })
        {
            throw EngineFault.Invalid("The embedded engine has no caveats, and so no context.");
        }

        var question = new Question(ToObject(resource), permission ?? "", ToSubject(subject));
        TupleRules.CheckForm(question.Resource);
        TupleRules.CheckForm(question.Subject.Object);
        TupleRules.CheckName(question.Permission, "CheckPermissionRequest.Permission");
        return question.Resource.Id == "*" ? throw EngineFault.Invalid("invalid ObjectReference.ObjectId: alphanumeric value is required") : question;
    }

    private static RelationshipUpdate ToUpdate(Contracts.Update update)
    {
        if (update.Relationship is not { } tuple)
        {
            throw EngineFault.Invalid("invalid RelationshipUpdate.Relationship: value is required");
        }

        if (tuple.OptionalCaveat is { ValueKind: JsonValueKind.Object } || tuple.OptionalExpiresAt is { ValueKind: not JsonValueKind.Null })
        {
            throw EngineFault.Invalid("The embedded engine has neither caveats nor relationships that expire.");
        }

        var change = update.Operation switch
        {
            "OPERATION_CREATE" => Change.Create,
            "OPERATION_TOUCH" => Change.Touch,
            "OPERATION_DELETE" => Change.Delete,
            _ => throw EngineFault.Invalid("invalid RelationshipUpdate.Operation: value must not be in list [OPERATION_UNSPECIFIED]"),
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
                _ => throw EngineFault.Invalid("invalid Precondition.Operation: value must not be in list [OPERATION_UNSPECIFIED]"),
            },
            ToFilter(precondition.Filter))),
    ];

    private static RelationshipFilter ToFilter(Contracts.Filter? filter)
    {
        var subject = filter?.OptionalSubjectFilter;
        if (filter is null || (Given(filter.ResourceType) ?? Given(filter.OptionalResourceId) ?? Given(filter.OptionalRelation) ?? Given(subject?.SubjectType)) is null)
        {
            throw EngineFault.Invalid("the relationship filter provided is not valid: at least one field must be set");
        }

        return Given(filter.OptionalResourceIdPrefix) is null
            ? new RelationshipFilter(
                Given(filter.ResourceType), Given(filter.OptionalResourceId), Given(filter.OptionalRelation),
                Given(subject?.SubjectType), Given(subject?.OptionalSubjectId), subject?.OptionalRelation is { } relation ? relation.Relation ?? "" : null)
            : throw EngineFault.Invalid("The embedded engine does not filter by a prefix.");

        static string? Given(string? value) => string.IsNullOrEmpty(value) ? null : value;
    }

    private static ObjectRef ToObject(Contracts.Object? reference) => reference is null
        ? throw EngineFault.Invalid("invalid ObjectReference: value is required")
        : new ObjectRef(reference.ObjectType ?? "", reference.ObjectId ?? "");

    private static SubjectRef ToSubject(Contracts.Subject? subject) => subject is null
        ? throw EngineFault.Invalid("invalid SubjectReference: value is required")
        : new SubjectRef(ToObject(subject.Object), subject.OptionalRelation ?? "");

    private static Contracts.Tuple FromRelationship(Relationship tuple) => new(
        new(tuple.Resource.Type, tuple.Resource.Id), tuple.Relation, new(new(tuple.Subject.Object.Type, tuple.Subject.Object.Id), tuple.Subject.Relation));

    /// <summary>Every answer is of the newest state, so that one token serves for all.</summary>
    private static Contracts.Token Now() => new(Convert.ToBase64String("newest"u8));

    private static Task WriteFaultAsync(HttpContext context, EngineFault fault)
    {
        context.Response.StatusCode = StatusOf(fault.Code);
        return WriteAsync(context, ToContract(fault), ContractsJson.Default.Fault);
    }

    private static Contracts.Fault ToContract(EngineFault fault) => new(fault.Code, fault.Message, []);

    private static Task WriteAsync<T>(HttpContext context, T body, JsonTypeInfo<T> type) =>
        context.Response.WriteAsJsonAsync(body, type, "application/json", context.RequestAborted);

    /// <summary>As gRPC's gateway maps codes to statuses.</summary>
    private static int StatusOf(int code) => code switch
    {
        EngineFault.InvalidArgumentCode or EngineFault.FailedPreconditionCode => StatusCodes.Status400BadRequest,
        EngineFault.NotFoundCode => StatusCodes.Status404NotFound,
        EngineFault.AlreadyExistsCode => StatusCodes.Status409Conflict,
        EngineFault.ResourceExhaustedCode => StatusCodes.Status429TooManyRequests,
        EngineFault.UnauthenticatedCode => StatusCodes.Status401Unauthorized,
        _ => StatusCodes.Status500InternalServerError,
    };
}
