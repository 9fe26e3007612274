using Cube.Authorization;
using Cube.Authorization.Relationships;
using Cube.Identity.Domains;
using Cube.ServiceDefaults.Errors;

namespace Cube.Identity.Authentication;

/// <summary>
/// Asks the authorization engine whether the caller may do what an endpoint does, before a byte of the body is read. What is not there
/// and what is somebody else's are answered alike, but to administrators of the platform.
/// </summary>
internal sealed class DomainActionMiddleware(RequestDelegate next, IAuthorizationEngine engine, DomainStore domains)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<DomainAction>() is not { } action || context.Features.Get<Caller>() is not { } caller)
        {
            await next(context);
            return;
        }

        var roleId = action.OfRole is null ? null : context.GetRouteValue("roleId") as string;
        if (!Guid.TryParse(context.GetRouteValue("id") as string, out var id) || await domains.StandAsync(id, roleId, context.RequestAborted) is not { } stand)
        {
            await (caller.IsAdministrator
                ? new ManagementError("not_found", "There is no such domain.").WriteAsync(context, StatusCodes.Status404NotFound)
                : RefuseAsync(context));
            return;
        }

        // That there is no such role is said by who looks for it.
        var questions = Questions(caller, id, stand.Status, action, stand.HasRole ? roleId : null);
        if (!(await engine.CheckAsync(questions, context.RequestAborted)).All(static has => has)
            || (stand.Status == DomainStatus.Freezed && !caller.IsAdministrator))
        {
            await RefuseAsync(context);
            return;
        }

        await next(context);
    }

    private static List<Question> Questions(Caller caller, Guid id, string status, DomainAction action, string? roleId)
    {
        var (user, domain) = (CubeSchema.User(caller.UserId), CubeSchema.Domain(id));
        List<Question> questions = [new(domain, CubeSchema.Permission(action.Name), user)];
        if (caller.PatId is { } pat)
        {
            questions.Add(new(CubeSchema.Token(pat), CubeSchema.Scope(action.Name), new SubjectRef(domain)));
        }

        // A closed domain is for those who could open it.
        if (status == DomainStatus.Disabled)
        {
            questions.Add(new(domain, CubeSchema.Permission("enable"), user));
        }

        if (roleId is not null)
        {
            questions.Add(new(CubeSchema.Role(roleId), action.OfRole!, user));
        }

        return questions;
    }

    private static Task RefuseAsync(HttpContext context) =>
        ManagementError.Of(StatusCodes.Status403Forbidden).WriteAsync(context, StatusCodes.Status403Forbidden);
}
