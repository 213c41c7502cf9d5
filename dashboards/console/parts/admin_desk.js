// Users and tokens: two tables, and one dialog for what is to be made or confirmed.
export default {
  template: `
    <div class="cw-admin">
      <p v-if="wrong" class="cw-error" role="alert">{{ words[wrong] ?? wrong }}</p>
      <section v-if="secret" class="cw-panel cw-secret" role="status"><p>{{ words.shown_once }}</p>
        <code>{{ secret }}</code><button class="cw-button" @click="copy">{{ words[copied ? 'copied' : 'copy'] }}</button>
        <button class="cw-button quiet" @click="secret = ''">{{ words.close_box }}</button></section>
      <div class="cw-title"><h1>{{ words.users }}</h1><span>{{ users.length }}</span>
        <button class="cw-button" @click="open('add_user')">{{ words.add_user }}</button></div>
      <section class="cw-panel cw-scrollx"><table class="cw-table"><thead><tr><th>{{ words.user_name }}</th>
        <th>{{ words.user_role }}</th><th>{{ words.tenant }}</th><th>{{ words.user_unit }}</th>
        <th>{{ words.user_state }}</th><th>{{ words.last_login }}</th><th>{{ words.made_at }}</th><th></th></tr></thead><tbody>
        <tr v-for="u in users" :key="u.name" :data-name="u.name"><td><b>{{ u.name }}</b></td>
          <td><select :value="u.role" :aria-label="words.user_role"
            @change="send({ what: 'role', name: u.name, role: $event.target.value })">
            <option v-for="r in roles" :key="r" :value="r">{{ words['role_' + r] }}</option></select></td>
          <td>{{ u.tenant ?? words.every_tenant }}</td>
          <td><select v-if="u.role !== 'administrator'" :value="u.unit" :aria-label="words.user_unit" class="cw-unit-of"
            @change="send({ what: 'unit', name: u.name, unit: $event.target.value })"><option value="">–</option>
            <option v-for="one in unitsWith(u.unit)" :key="one" :value="one">{{ unit(one) }}</option></select></td>
          <td><span :class="u.enabled ? 'good' : 'red'">{{ words[u.enabled ? 'enabled' : 'disabled'] }}</span>
            <small v-if="u.must_change">{{ words.to_change }}</small></td>
          <td>{{ u.login }}</td><td>{{ u.made }}<small>{{ u.by }}</small></td>
          <td class="cw-deeds"><button @click="send({ what: 'reset_password', name: u.name })">{{ words.reset_password
            }}</button><button @click="send({ what: u.enabled ? 'keep_out' : 'let_in', name: u.name })">{{
            words[u.enabled ? 'keep_out' : 'let_in'] }}</button><button class="red"
            @click="open('remove_user', { name: u.name })">{{ words.remove_user }}</button></td></tr>
      </tbody></table></section>
      <div class="cw-title"><h1>{{ words.tokens }}</h1><span>{{ tokens.length }}</span>
        <button class="cw-button" @click="open('add_token')">{{ words.add_token }}</button></div>
      <section class="cw-panel cw-scrollx"><p v-if="!tokens.length" class="cw-empty">–</p>
        <table v-else class="cw-table"><thead><tr><th>{{ words.name }}</th><th>{{ words.user_role }}</th>
        <th>{{ words.tenant }}</th><th>{{ words.user_unit }}</th><th>{{ words.scopes }}</th><th>{{ words.user_state }}</th><th>{{ words.last_used }}</th>
        <th>{{ words.expires }}</th><th>{{ words.made_at }}</th><th></th></tr></thead><tbody>
        <tr v-for="t in tokens" :key="t.id" :data-name="t.name"><td><b>{{ t.name }}</b></td>
          <td>{{ words['role_' + t.role] }}</td><td>{{ t.tenant ?? words.every_tenant }}</td><td>{{ unit(t.unit) }}</td>
          <td><code v-for="s in t.scopes" :key="s">{{ s }} </code><span v-if="!t.scopes.length">*</span></td>
          <td><span :class="t.state === 'enabled' ? 'good' : 'red'">{{ words[t.state] }}</span></td>
          <td>{{ t.used }}</td><td>{{ t.expires ?? words.no_end }}</td><td>{{ t.made }}<small>{{ t.by }}</small></td>
          <td class="cw-deeds"><button v-if="t.state === 'enabled'" class="red"
            @click="open('revoke', { id: t.id, name: t.name })">{{ words.revoke }}</button></td></tr>
      </tbody></table></section>
      <dialog ref="dialog" class="cw-dialog" @close="$refs.dialog.open || (doing = null)">
        <form v-if="doing" @submit.prevent="confirm">
          <h3>{{ words[doing.what] }}</h3>
          <p v-if="doing.what === 'remove_user'">{{ words.sure_remove.replace('{n}', doing.name) }}</p>
          <p v-else-if="doing.what === 'revoke'">{{ words.sure_revoke.replace('{n}', doing.name) }}</p>
          <template v-else>
            <label>{{ words[doing.what === 'add_user' ? 'user_name' : 'name'] }}<input name="name" v-model.trim="doing.name"
              maxlength="64" required pattern="[\\p{L}\\p{N}_.@\\-]+" autocomplete="off" autocapitalize="none" /></label>
            <label>{{ words.user_role }}<select name="role" v-model="doing.role">
              <option v-for="r in roles" :key="r" :value="r">{{ words['role_' + r] }}</option></select></label>
            <label>{{ words.tenant }}<input name="tenant" v-model.trim="doing.tenant" maxlength="64" :disabled="!!own"
              pattern="[A-Za-z0-9_.\\-]*" :placeholder="words.every_tenant" autocomplete="off" /></label>
            <label v-if="doing.role !== 'administrator'">{{ words.user_unit }}<input name="unit"
              v-model.trim="doing.unit" maxlength="200" list="cw-known-units" :placeholder="words.no_unit"
              autocomplete="off" /><datalist id="cw-known-units"><option v-for="one in units" :key="one" :value="one">{{
              unit(one) }}</option></datalist><small>{{ words.unit_hint }}</small></label>
            <template v-if="doing.what === 'add_token'">
              <label>{{ words.scopes }}<input name="scopes" v-model.trim="doing.scopes" autocomplete="off" />
                <small>{{ words.scopes_hint }}</small></label>
              <label>{{ words.expires_days }}<input name="days" type="number" min="1" max="3660" v-model.number="doing.days"
                /></label>
            </template>
          </template>
          <footer><button type="button" class="quiet" @click="$refs.dialog.close()">{{ words.cancel }}</button>
            <button type="submit" :disabled="busy">{{ words[doing.what] }}</button></footer>
        </form>
      </dialog>
    </div>`,
  props: { words: Object, lang: String, roles: Array, own: String, units: { default: () => [] },
    users: { default: () => [] }, tokens: { default: () => [] } },
  data: () => ({ doing: null, busy: false, secret: "", wrong: "", copied: false }),
  methods: {
    open(what, about = {}) {
      this.doing = { what, name: "", role: "viewer", tenant: this.own ?? "", unit: "", scopes: "", days: null, ...about };
      this.$nextTick(() => this.$refs.dialog.showModal());
    },
    unit(name) {
      const halves = name.split(" / ");
      return halves.length === 2 ? halves[this.lang === "en" ? 1 : 0] : name;
    },
    unitsWith(present) {
      return present && !this.units.includes(present) ? [...this.units, present] : this.units;
    },
    confirm() {
      this.send({ ...this.doing, unit: this.doing.role === "administrator" ? "" : this.doing.unit });
      this.$refs.dialog.close();
    },
    send(wanted) {
      this.busy = true;
      this.secret = this.wrong = "";
      this.$emit("act", wanted);
    },
    answered({ secret, wrong }) {
      this.busy = this.copied = false;
      this.secret = secret;
      this.wrong = wrong;
    },
    async copy() {
      await navigator.clipboard?.writeText(this.secret);
      this.copied = true;
    },
  },
};
