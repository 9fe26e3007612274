using System.Text.Json;
using Cube.Identity.Authentication;
using Cube.Identity.Mail;
using Cube.Identity.Tokens;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Users;

using Shown = Results<Ok<UserView>, JsonHttpResult<ManagementError>>;

/// <summary>Changes of an account, by its owner or by an administrator of the platform. Nobody else learns whether there is such an account.</summary>
internal static class UserChangeApi
{
    public static void MapUserChanges(this IEndpointRouteBuilder users)
    {
        users.MapPatch("/{userId:guid}", Update);
        users.MapPatch("/{userId:guid}/username", SetUsername);
        users.MapPatch("/{userId:guid}/picture", SetPicture);
        users.MapPatch("/{userId:guid}/tags", SetTags);
        users.MapPatch("/{userId:guid}/email", SetEmail).QueuesForPasswords();
        users.MapPatch("/{userId:guid}/role", SetRole);
        users.MapPatch("/secret", SetPassword).QueuesForPasswords();
    }

    internal sealed record UpdateRequest(string? FirstName, string? LastName, JsonElement? Metadata, JsonElement? PrivateMetadata);

    internal sealed record UsernameRequest(string? Username);

    internal sealed record PictureRequest(string? ProfilePicture);

    internal sealed record TagsRequest(string[]? Tags);

    internal sealed record EmailRequest(string? Email, string? Password);

    internal sealed record RoleRequest(string? Role);

    internal sealed record PasswordRequest(string? OldSecret, string? NewSecret);

    private static Task<Shown> Update(Guid userId, UpdateRequest request, Caller caller, UserStore users, CancellationToken ct) => UpdateAsync(
        userId,
        (request.FirstName is null ? null : UserRules.FaultOfName(request.FirstName, "first_name"))
            ?? (request.LastName is null ? null : UserRules.FaultOfName(request.LastName, "last_name"))
            ?? Requests.FaultOf(request.Metadata, "metadata")
            ?? Requests.FaultOf(request.PrivateMetadata, "private_metadata"),
        new UserUpdate
        {
            FirstName = request.FirstName,
            LastName = request.LastName,
            Metadata = Requests.GivenJson(request.Metadata),
            PrivateMetadata = Requests.GivenJson(request.PrivateMetadata),
        },
        caller, users, ct);

    private static Task<Shown> SetUsername(Guid userId, UsernameRequest request, Caller caller, UserStore users, CancellationToken ct) =>
        UpdateAsync(userId, UserRules.FaultOfUsername(request.Username, "username"), new UserUpdate { Username = request.Username }, caller, users, ct);

    private static Task<Shown> SetPicture(Guid userId, PictureRequest request, Caller caller, UserStore users, CancellationToken ct) => UpdateAsync(
        userId, UserRules.FaultOfPicture(request.ProfilePicture ?? ""), new UserUpdate { ProfilePicture = request.ProfilePicture }, caller, users, ct);

    private static Task<Shown> SetTags(Guid userId, TagsRequest request, Caller caller, UserStore users, CancellationToken ct) => UpdateAsync(
        userId, request.Tags is null ? "tags is needed." : Requests.FaultOf(request.Tags), new UserUpdate { Tags = request.Tags }, caller, users, ct);

    /// <summary>
    /// An administrator sets another user's address at once. One's own address needs the password, so that a stolen session cannot take the account over;
    /// a user's new address counts when a mail to it was answered, and until then the old one does. The old address is told in any case.
    /// </summary>
    private static async Task<Results<Ok<UserView>, Accepted<UserView>, JsonHttpResult<ManagementError>>> SetEmail(
        Guid userId, EmailRequest request, HttpContext context, Caller caller, UserStore users, PasswordCheck check, MailQueue mails, CancellationToken ct)
    {
        if (!caller.IsAdministrator && caller.UserId != userId)
        {
            return Requests.Forbidden;
        }

        if (UserRules.FaultOfEmail(request.Email) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        if (!caller.IsAdministrator && !mails.IsConfigured)
        {
            return MailApi.NotConfigured;
        }

        if (await users.FindAsync(userId, ct) is not { } user)
        {
            return UserApi.NoSuchUser;
        }

        if (caller.UserId == userId && await check.RefusalAsync(user, request.Password, "password", context, ct) is { } refusal)
        {
            return refusal;
        }

        if (!caller.IsAdministrator)
        {
            mails.Post(new MailOrder.ChangeAddress(userId, request.Email!, user.PasswordHash));
            mails.Post(new MailOrder.AddressNotice(user.Email, user.Username, IsChanged: false));
            return TypedResults.Accepted((string?)null, user.ToView());
        }

        var (change, changed) = await users.UpdateAsync(userId, new UserUpdate { Email = request.Email }, caller, ct);
        if (changed is null)
        {
            return UserApi.Refusal(change);
        }

        mails.Post(new MailOrder.AddressNotice(user.Email, user.Username, IsChanged: true));
        return TypedResults.Ok(changed.ToView());
    }

    private static Task<Shown> SetRole(Guid userId, RoleRequest request, Caller caller, UserStanding standing, UserStore users, CancellationToken ct) =>
        UserApi.ChangeAsync(userId, caller, users, () => standing.SetRoleAsync(userId, request.Role!, caller, ct), ct, UserRules.FaultOfRole(request.Role));

    /// <summary>Wrong old passwords count like failed logins.</summary>
    private static async Task<Shown> SetPassword(
        PasswordRequest request, HttpContext context, Caller caller, UserStore users, Passwords passwords, PasswordCheck check, CancellationToken ct)
    {
        if (UserRules.FaultOfPassword(request.NewSecret, "new_secret") is { } fault)
        {
            return Requests.Invalid(fault);
        }

        if (await users.FindAsync(caller.UserId, ct) is not { } user)
        {
            return UserApi.NoSuchUser;
        }

        if (await check.RefusalAsync(user, request.OldSecret, "old_secret", context, ct) is { } refusal)
        {
            return refusal;
        }

        await users.SetPasswordAsync(user.Id, passwords.Hash(request.NewSecret!), caller, ct);
        return TypedResults.Ok(user.ToView());
    }

    private static async Task<Shown> UpdateAsync(Guid id, string? fault, UserUpdate update, Caller caller, UserStore users, CancellationToken ct)
    {
        if (!caller.IsAdministrator && caller.UserId != id)
        {
            return Requests.Forbidden;
        }

        if (fault is not null)
        {
            return Requests.Invalid(fault);
        }

        var (change, user) = await users.UpdateAsync(id, update, caller, ct);
        return user is null ? UserApi.Refusal(change) : TypedResults.Ok(user.ToView());
    }
}
